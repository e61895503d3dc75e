package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
)

// table is what a call by hand prints: a line for each object that was, or would
// be, removed; nothing where there is none.
type table struct {
	// title, where set, is the podman service that it is of.
	title string
	rows  []string
}

var columns = []string{"KIND", "NAME", "JOB", "PROJECT", "OWNER", "REASON", "AGE", "SIZE"}

// add adds a row with a value for each column; an empty one is shown as "-".
func (t *table) add(values ...string) {
	for i, v := range values {
		values[i] = cmp.Or(driver.Printable(v), "-")
	}
	t.rows = append(t.rows, strings.Join(values, "\t"))
}

func (t *table) print(out io.Writer) {
	if len(t.rows) == 0 {
		return
	}
	if t.title != "" {
		fmt.Fprintln(out, t.title+":")
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(columns, "\t"))
	for _, row := range t.rows {
		fmt.Fprintln(w, row)
	}
	_ = w.Flush()
}

// ownerInShort is the runner process of a label: "HOST:PID".
func ownerInShort(label string) string {
	owner, err := job.ParseProcess(label)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", owner.Host, owner.PID)
}

// age is a duration in its largest unit that it has two of: "3d", "26h", "90s".
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%dd", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", max(d, 0)/time.Second)
}
