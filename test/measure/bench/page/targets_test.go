package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podman-executor/test/measure/bench/results"
)

func programs() *results.Programs {
	return &results.Programs{
		Lines:         []results.Line{{What: "start of a program", Milliseconds: 4.24, MiB: 6.06}, {What: "output, alone", Milliseconds: 1500}},
		Start:         results.Added{Milliseconds: 9.9, MiB: 16.04},
		HandOver:      results.Added{Milliseconds: 10.04, MiB: 7},
		LogThroughput: 0.97,
	}
}

// tableRows are the lines of the table behind a heading, without its own.
func tableRows(t *testing.T, page []byte, heading string) (rows []string) {
	t.Helper()
	_, section, found := strings.Cut(string(page), "\n"+heading+"\n")
	if !found {
		t.Fatalf("the page has no %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "|") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	return rows[min(2, len(rows)):]
}

// Whether a target is met is decided by the figures: one that is missed by less than
// the table's last digit is missed.
func TestTargets(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Cells = nil
	for _, c := range []struct {
		kind, executor string
		seconds        float64
	}{
		{"hello", "driver", 0.901},
		{"hello", "docker", 3},
		{"hello", "naive", 1.1},
		{"hello", "step_script_only", 0.36},
		{"twelve", "driver", 7},
		{"twelve", "docker", 20},
		{"twelve", "naive", 8},
	} {
		r.Cells = append(r.Cells, results.Cell{Kind: c.kind, Executor: c.executor, Seconds: []float64{c.seconds}})
	}
	page, err := pageOf(r, programs())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"| hello: time of The driver to docker executor | at most 0.30× | 0.30× | **not met** |",
		"| hello: time of The driver to naive | at most 0.90× | 0.82× | met |",
		"| hello: time of step_script_only to docker executor | at most 0.12× | 0.12× | met |",
		"| twelve: time of The driver to docker executor | at most 0.35× | 0.35× | met |",
		"| twelve: time of The driver to naive | at most 0.80× | 0.88× | **not met** |",
		"| 100 MB of log: throughput of a step to that of `podman start --attach` alone | at least 0.95× | 0.97× | met |",
		"| what podman-executor-run adds to a step that starts its container: time | at most 10 ms | 9.9 ms | met |",
		"| what podman-executor-run adds to a step that starts its container: memory | at most 16 MiB | 16.0 MiB | **not met** |",
		"| what podman-executor-run adds to a step that is handed over: time | at most 10 ms | 10.0 ms | **not met** |",
		"| what podman-executor-run adds to a step that is handed over: memory | at most 16 MiB | 7.0 MiB | met |",
	}
	if diff := cmp.Diff(want, tableRows(t, page, "## Targets")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p := programs()
	p.LogThroughput = 0.949
	if page, err = pageOf(r, p); err != nil || !strings.Contains(string(page), "| at least 0.95× | 0.95× | **not met** |") {
		t.Errorf("a throughput of 0.949 (%v):\n%s", err, page)
	}
}

// What was not measured has no target, and no section.
func TestNotMeasured(t *testing.T) {
	t.Parallel()
	page, err := pageOf(sample(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"| hello: time of The driver to docker executor | at most 0.30× | 0.25× | met |"}
	if diff := cmp.Diff(want, tableRows(t, page, "## Targets")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r := sample()
	r.Cells = r.Cells[2:3]
	if page, err = pageOf(r, nil); err != nil {
		t.Fatal(err)
	}
	for _, heading := range []string{"## Targets", "## Where the time goes", "## What the programs add"} {
		if strings.Contains(string(page), heading) {
			t.Errorf("the page has %q without anything in it", heading)
		}
	}
}

func TestWhatTheProgramsAdd(t *testing.T) {
	t.Parallel()
	page, err := pageOf(sample(), programs())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"| start of a program | 4.2 | 6.1 |", "| output, alone | 1500.0 | – |"}, tableRows(t, page, "## What the programs add")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The programs and the rest sum up to the job.
func TestWhereTheTimeGoes(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Profiles = []results.Profile{{Kind: "hello", Executor: "driver", Programs: []results.ProgramTimes{
		{Program: "podman-executor-prepare", Seconds: []float64{0.9, 0.5, 0.7}, Commands: []results.CommandTimes{
			{Command: "podman create", Seconds: []float64{0.4, 0.5, 0.6}}, {Command: "podman run", Seconds: []float64{0.6}}, {Command: "podman new", Seconds: []float64{0.1}},
		}},
		{Program: "podman-executor-run", Step: "get_sources", Seconds: []float64{0.02}},
	}}}
	page, err := pageOf(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"| podman-executor-prepare |  | all of it | 700 |",
		"|  | `podman create` | makes a container | 500 |",
		"|  | `podman run` | makes a container and starts it | 600 |",
		"|  | `podman new` | – | 100 |",
		"| podman-executor-run |  | step get_sources | 20 |",
		"| the rest |  | gitlab-runner, and the start and end of the programs | 780 |",
		"| the job |  | median of all | 1500 |",
	}
	if diff := cmp.Diff(want, tableRows(t, page, "### Hello: The driver")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func writeJSON(t *testing.T, file string, from any) {
	t.Helper()
	text, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The two files of results become the two files of the page.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "results.json"), filepath.Join(dir, "programs.json")
	writeJSON(t, one, sample())
	writeJSON(t, two, programs())
	if err := write([]string{"--output", dir, "--programs", two, one}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := pageOf(sample(), programs())
	if diff := cmp.Diff(string(want), string(got)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := write([]string{"--output", dir, "--programs", filepath.Join(dir, "none.json"), one}); err == nil {
		t.Error("a missing file of programs is not an error")
	}
}
