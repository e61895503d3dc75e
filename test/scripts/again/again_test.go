package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// suite is the program with the tests of testdata/suite.
var suite = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "again")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "test", "-c", "-o", filepath.Join(dir, "suite.test"), "./testdata/suite").CombinedOutput()
	if err != nil {
		return dir, fmt.Errorf("building the suite: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if dir, _ := suite(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(status)
}

// command is what gotestsum would get to run tests of the suite.
func command(t *testing.T, tests string, more ...string) []string {
	t.Helper()
	dir, err := suite()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SUITE_DIR", t.TempDir())
	return append([]string{
		"go", "tool", "test2json", "-t", "-p", "made/up", filepath.Join(dir, "suite.test"),
		"-test.v=test2json", "-test.parallel=3", "-test.run=^(" + tests + ")$",
	}, more...)
}

// ran are the tests whose end the lines say, and which: "TestX fail".
func ran(t *testing.T, lines string) []string {
	t.Helper()
	r := newResults()
	var list []string
	for line := range strings.Lines(lines) {
		if err := r.read(strings.NewReader(line)); err != nil {
			t.Fatal(err)
		}
		for _, x := range r.tests {
			if x.action == "pass" || x.action == "fail" || x.action == "skip" {
				list = append(list, x.name+" "+x.action)
				r = newResults()
			}
		}
	}
	return list
}

func TestAgain(t *testing.T) {
	for name, c := range map[string]struct {
		tests string
		more  []string
		env   string
		// again are the tests that ran once more, with the ends of these runs.
		again []string
		// err is a part of the error; empty: the suite passes.
		err string
	}{
		"all pass":                     {tests: "TestPasses"},
		"one fails once":               {tests: "TestPasses|TestFailsOnce", again: []string{"TestFailsOnce pass"}},
		"three fail once":              {tests: "TestFailsOnce[23]?", again: []string{"TestFailsOnce pass", "TestFailsOnce2 pass", "TestFailsOnce3 pass"}},
		"four fail once":               {tests: "TestFailsOnce.?", err: "4 have failed, and 0 before in other suites, which is more than 3"},
		"a part fails once":            {tests: "TestPasses|TestPartFailsOnce", again: []string{"TestPartFailsOnce pass"}},
		"a longer name is another":     {tests: "TestFailsOnce|TestPasses", again: []string{"TestFailsOnce pass"}},
		"fails with others only":       {tests: "TestFailsBeside|TestPasses", again: []string{"TestFailsBeside pass"}},
		"fails always":                 {tests: "TestPasses|TestFailsAlways", again: []string{"TestFailsAlways fail"}, err: "made/up.TestFailsAlways has not passed when it ran once more"},
		"is skipped then":              {tests: "TestSkipsThen", again: []string{"TestSkipsThen skip"}, err: "made/up.TestSkipsThen has not passed"},
		"a panic":                      {tests: "TestPanicsOnce", err: "the suite did not end by itself"},
		"a panic besides":              {tests: "TestFailsOnce|TestPanicsOnce", err: "the suite ended before made/up.TestFailsOnce did"},
		"a time-out":                   {tests: "TestPasses|TestHangsOnce", more: []string{"-test.timeout=1s"}, err: "the suite"},
		"an exit":                      {tests: "TestPasses|TestExitsOnce", err: "the suite"},
		"no test":                      {tests: "TestNothing", err: "no test ran"},
		"the end fails":                {tests: "TestPasses", env: "SUITE_END", err: "the suite did not end by itself"},
		"a test and the end fail":      {tests: "TestFailsOnce", env: "SUITE_END", again: []string{"TestFailsOnce pass"}, err: "made/up.TestFailsOnce has not passed"},
		"an argument that is not one":  {tests: "TestPasses", more: []string{"-test.nonsense"}, err: "did not end by itself"},
		"one passes then, another not": {tests: "TestFailsOnce|TestFailsAlways", again: []string{"TestFailsOnce pass", "TestFailsAlways fail"}, err: "TestFailsAlways has not passed"},
	} {
		t.Run(name, func(t *testing.T) {
			a := again{keep: filepath.Join(t.TempDir(), "flaky"), command: command(t, c.tests, c.more...)}
			if c.env != "" {
				t.Setenv(c.env, "yes")
			}
			var stdout, stderr bytes.Buffer
			a.stdout, a.stderr = &stdout, &stderr
			err := a.run()
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if second := secondRuns(t, stdout.String()); !slices.Equal(second, c.again) {
				t.Errorf("once more ran %q, want %q\n%s", second, c.again, stdout.String())
			}
			if says := strings.Count(stderr.String(), "it runs once more, alone\n"); says != len(c.again) {
				t.Errorf("it says %q", stderr.String())
			}
			if kept := keptLogs(t, a.keep); len(c.again) > 0 && c.err == "" && len(kept) != len(c.again) {
				t.Errorf("logs are kept of %q, want those of %q", kept, c.again)
			}
		})
	}
}

// secondRuns are the ends of those tests that did not run in the first run of a suite.
func secondRuns(t *testing.T, lines string) []string {
	t.Helper()
	// Each run begins with a line of its own.
	parts := strings.SplitAfter(lines, `"Action":"start"`)
	var list []string
	for i, part := range parts {
		if i > 1 {
			list = append(list, ran(t, part[strings.IndexByte(part, '\n')+1:])...)
		}
	}
	return list
}

func keptLogs(t *testing.T, dir string) []string {
	t.Helper()
	names, err := logs(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return names
}

// The log is that of the test's first run, whole, and of no other test.
func TestLog(t *testing.T) {
	a := again{keep: t.TempDir(), command: command(t, "TestPasses|TestPartFailsOnce"), stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	if err := a.run(); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(a.keep, "made-up.TestPartFailsOnce.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"=== RUN   TestPartFailsOnce\n", "a part says something", "TestPartFailsOnce/fails_once fails", "--- FAIL: TestPartFailsOnce "} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(string(log), "says something\n") && strings.Contains(string(log), "TestPasses") {
		t.Errorf("the log has lines of another test:\n%s", log)
	}
}

// All suites of a run of CI count together, and no test runs once more twice.
func TestSeveralSuites(t *testing.T) {
	keep := t.TempDir()
	run := func(tests string) error {
		a := again{keep: keep, command: command(t, tests), stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
		return a.run()
	}
	if err := run("TestFailsOnce[23]"); err != nil {
		t.Error(err)
	}
	if err := run("TestFailsOnce2"); err == nil || !strings.Contains(err.Error(), "made/up.TestFailsOnce2 has run once more before") {
		t.Errorf("a test that has run once more before: %v", err)
	}
	if err := run("TestFailsOnce|TestFailsOnce4"); err == nil || !strings.Contains(err.Error(), "2 have failed, and 2 before in other suites") {
		t.Errorf("a fourth: %v", err)
	}
	if err := run("TestPartFailsOnce"); err != nil {
		t.Error(err)
	}
	if err := run("TestPasses"); err != nil {
		t.Error(err)
	}
	if names := keptLogs(t, keep); len(names) != limit {
		t.Errorf("logs are kept of %q, want %d", names, limit)
	}
}

// gotestsum, by which the suites run, goes by the exit status, and counts the failed run and the other.
func TestByGotestsum(t *testing.T) {
	program := filepath.Join(t.TempDir(), "again")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for tests, want := range map[string]struct {
		status int
		lines  []string
	}{
		"TestPasses":                 {0, []string{"DONE 1 tests in "}},
		"TestPasses|TestFailsOnce":   {0, []string{"warning: made/up.TestFailsOnce has failed; it runs once more, alone\n", "PASS made/up.TestFailsOnce ", "DONE 3 tests, 1 failure in "}},
		"TestPasses|TestFailsAlways": {1, []string{"again: error: made/up.TestFailsAlways has not passed", "DONE 3 tests, 2 failures, 1 error in "}},
		"TestNothing":                {1, []string{"again: error: no test ran"}},
	} {
		results := filepath.Join(t.TempDir(), "results.json")
		args := []string{"tool", "-modfile=../../tools/go.mod", "gotestsum", "--no-color", "--format", "testname", "--jsonfile", results, "--raw-command", "--", program, filepath.Join(t.TempDir(), "flaky")}
		cmd := exec.Command("go", append(args, command(t, tests)...)...)
		out, _ := cmd.CombinedOutput()
		if status := cmd.ProcessState.ExitCode(); status != want.status {
			t.Errorf("%s: exit status %d, want %d", tests, status, want.status)
		}
		for _, line := range want.lines {
			if !strings.Contains(string(out), line) {
				t.Errorf("%s: the output lacks %q:\n%s", tests, line, out)
			}
		}
		// What test/scripts/no-skips reads.
		if text, err := os.ReadFile(results); err != nil || tests != "TestNothing" && !strings.Contains(string(text), `"Action":"pass"`) {
			t.Errorf("%s: the results are %q (%v)", tests, text, err)
		}
	}
}
