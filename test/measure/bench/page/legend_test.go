package main

import (
	"testing"

	"gonum.org/v1/plot"

	"podman-executor/test/measure/bench/results"
)

// legendOf is the legend of executors with the given titles.
func legendOf(titles ...string) []entry {
	var entries []entry
	for _, title := range titles {
		entries = append(entries, entry{title: title})
	}
	return place(entries, legendStyle(plot.New()), width)
}

func TestLegendIsInsideAndApart(t *testing.T) {
	t.Parallel()
	long := "an executor whose name takes a good half of the picture, or even more, in a wide font"
	for name, entries := range map[string][]entry{
		"the page's": legendOf("podman-executor", "podman-executor, step_script_only", "docker executor", "naive scripts", "shell executor"),
		"long names": legendOf(long, "short", long, long),
	} {
		for i, e := range entries {
			if e.left < 0 || e.left+e.width > width {
				t.Errorf("%s: %q goes from %v to %v, and the picture is %v wide", name, e.title, e.left, e.left+e.width, width)
			}
			for _, other := range entries[:i] {
				if other.row == e.row && other.left+other.width > e.left {
					t.Errorf("%s: %q lies upon %q", name, e.title, other.title)
				}
			}
		}
	}
	if entries := legendOf("podman-executor", "podman-executor, step_script_only", "docker executor", "naive scripts", "shell executor"); entries[4].row != 0 {
		t.Error("the page's legend is not one row")
	}
}

// Each executor of the results is in the plot once: in its legend.
func TestLegendNamesEachExecutor(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Executors = append(r.Executors, results.Executor{Name: "none", Title: "measured nowhere"})
	for title, n := range textsOf(t, r) {
		if n > 1 {
			t.Errorf("the plot has %q %d times", title, n)
		}
	}
	for _, e := range r.Executors {
		if textsOf(t, r)[e.Title] != 1 {
			t.Errorf("the legend lacks %q", e.Title)
		}
	}
}
