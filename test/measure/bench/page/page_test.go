package main

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"podman-executor/test/measure/bench/account"
	"podman-executor/test/measure/bench/results"
)

func sample() results.Results {
	cell := func(kind, executor string, seconds ...float64) results.Cell {
		return results.Cell{Kind: kind, Executor: executor, Seconds: seconds, Account: account.New()}
	}
	driver := cell("hello", "driver", 1, 1.5, 2)
	driver.Account = account.Account{
		CPU:      map[account.Part]int64{account.Runner: 20e6, account.Driver: 50e6, account.Podman: 1.25e9, account.Job: 75e6},
		Commands: map[string]int{"podman-executor-run: podman start": 4, "podman-executor-cleanup: podman rm": 1},
		Peak:     map[string]int64{"podman-executor-run": 6 << 20, "podman-executor-prepare": 8 << 20},
	}
	docker := cell("hello", "docker", 6)
	docker.Account.CPU = map[account.Part]int64{account.Runner: 1e9, account.Podman: 2e9, account.Job: 3e9}
	docker.Failed = 2
	return results.Results{
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 120,
		Machine:   results.Machine{CPU: "A CPU", Cores: 2, Memory: 4 << 30, Kernel: "6.1", System: "A Linux", Podman: "4.3.1", Runner: "19.4.0", Driver: "1.0"},
		Kinds:     []results.Kind{{Name: "hello", Title: "hello", Says: "a greeting"}, {Name: "services", Title: "two services", Says: "Two"}},
		Executors: []results.Executor{{Name: "driver", Title: "The driver"}, {Name: "docker", Title: "docker executor"}, {Name: "shell", Title: "shell executor"}},
		Cells:     []results.Cell{driver, docker, cell("hello", "shell", 0.06), cell("services", "driver", 3)},
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	page, err := pageOf(sample(), programs())
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(page)) {
		if strings.Count(line, "|") == 11 && !strings.HasPrefix(line, "|--") && !strings.Contains(line, "median") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	want := []string{
		"| The driver | 1.50 | 1.25–1.75 | 0.25× | 5 | 0.02 | 0.05 | 1.25 | 0.07 | 8.0 |",
		"| docker executor | 6.00 | 6.00–6.00 | 1.00× | – | 1.00 | – | 2.00 | 3.00 | – |",
		"| shell executor | 0.06 | 0.06–0.06 | 0.01× | – | 0.00 | – | – | 0.00 | – |",
		"| The driver | 3.00 | 3.00–3.00 | – | – | 0.00 | – | – | 0.00 | – |",
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("the tables' rows (-want +got):\n%s", diff)
	}
	for _, text := range []string{
		"| CPU | A CPU, 2 cores |", "| memory | 4 GiB |", "| run | 2026-01-02, 2 minutes |",
		"A greeting. Measured 3 times.", "Two. Measured once.", "In this run these were 2 of the docker executor.",
	} {
		if !strings.Contains(string(page), text) {
			t.Errorf("the page lacks %q", text)
		}
	}
}

// Each link of the page leads from docs to a file of the repository.
func TestLinks(t *testing.T) {
	t.Parallel()
	page, err := pageOf(sample(), programs())
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for rest := string(page); ; {
		_, after, ok := strings.Cut(rest, "](")
		if !ok {
			break
		}
		target, remaining, _ := strings.Cut(after, ")")
		rest = remaining
		if target == "benchmarks.svg" {
			continue // written together with the page
		}
		found++
		if _, err := os.Stat(filepath.Join("../../../../docs", target)); err != nil {
			t.Error(err)
		}
	}
	if found == 0 {
		t.Error("the page has no links")
	}
}

// textsOf are the texts of the plot, and how often it has each.
func textsOf(t *testing.T, r results.Results) map[string]int {
	t.Helper()
	svg, err := plotOf(r)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]int{}
	for decoder := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			texts[string(text)]++
		}
	}
}

func TestPlotIsSVGWithAllNames(t *testing.T) {
	t.Parallel()
	r := sample()
	svg, err := plotOf(r)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(slices.Collect(maps.Keys(textsOf(t, r))), "\n")
	for _, name := range []string{"The driver", "docker executor", "shell executor", "hello"} {
		if !strings.Contains(all, name) {
			t.Errorf("the plot lacks %q", name)
		}
	}
	if strings.Contains(all, "two services") {
		t.Error("the plot has a kind that the docker executor has no time of")
	}
	if again, err := plotOf(r); err != nil || string(again) != string(svg) {
		t.Errorf("the same results give another plot (%v)", err)
	}
	r.Cells = r.Cells[:1]
	if _, err := plotOf(r); err == nil {
		t.Error("there is a plot without the docker executor")
	}
}
