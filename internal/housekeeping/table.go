package housekeeping

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

// row is an object that was, or would be, removed. Unknown fields are empty.
type row struct{ kind, name, job, project, owner, reason, age, size string }

var columns = []string{"KIND", "NAME", "JOB", "PROJECT", "OWNER", "REASON", "AGE", "SIZE"}

// printTable prints a table of rows, below a title if there is one. Without rows it prints
// nothing.
func printTable(out io.Writer, title string, rows []row) {
	if len(rows) == 0 {
		return
	}
	if title != "" {
		fmt.Fprintln(out, title+":")
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(columns, "\t"))
	for _, r := range rows {
		values := []string{r.kind, r.name, r.job, r.project, r.owner, r.reason, r.age, r.size}
		for i, v := range values {
			values[i] = cmp.Or(driver.Printable(v), "-")
		}
		fmt.Fprintln(w, strings.Join(values, "\t"))
	}
	_ = w.Flush()
}

// ownerInShort returns the runner process of a label in short: "HOST:PID".
func ownerInShort(label string) string {
	owner, err := job.ParseProcess(label)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", owner.Host, owner.PID)
}

// age formats a duration in the largest unit of which it has at least two: "3d", "26h", "90s".
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
