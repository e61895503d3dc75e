package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

func passed(log string) outcome {
	return outcome{job: "j", state: gitlab.StateSuccess, log: log, try: 1}
}

func failure(code int, log string) outcome {
	return outcome{job: "j", state: gitlab.StateFailed, reason: "script_failure", exitCode: code, log: log, try: 1}
}

func TestCompare(t *testing.T) {
	differs := difference{Job: "j", Output: "-b\n+c\n", Why: "so it is"}
	both := difference{Job: "j", Docker: "success", Driver: "failed, script_failure, 3", Output: "-b\n+c\n", Why: "so it is"}
	tests := []struct {
		name           string
		docker, driver outcome
		expected       []difference
		want           string // part of what is unexpected; empty: all is as expected
	}{
		{"the same", passed("a\n"), passed("a\n"), nil, ""},
		{"failing the same", failure(3, "a\n"), failure(3, "a\n"), nil, ""},
		{"another log", passed("a\nb\n"), passed("a\nc\n"), nil, "the logs differ"},
		{"another log, expected", passed("a\nb\n"), passed("a\nc\n"), []difference{differs}, ""},
		{"another log than expected", passed("a\nb\n"), passed("a\nd\n"), []difference{differs}, "the logs differ"},
		{"the same log, not expected", passed("a\n"), passed("a\n"), []difference{differs}, "the logs differ"},
		{"another code", failure(3, ""), failure(4, ""), nil, `verdict is "failed, script_failure, 3", the driver's "failed, script_failure, 4"`},
		{"all differs, expected", passed("a\nb\n"), failure(3, "a\nc\n"), []difference{both}, ""},
		{"another code than expected", passed("a\nb\n"), failure(4, "a\nc\n"), []difference{both}, "the docker executor's verdict"},
		{"skipped by both", outcome{job: "j", state: gitlab.StateSkipped}, outcome{job: "j", state: gitlab.StateSkipped}, nil, "did not run"},
		{"no longer another code", passed("a\nb\n"), passed("a\nc\n"), []difference{both}, "expects a difference"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := compare([]outcome{tt.docker}, []outcome{tt.driver}, tt.expected)
			said := strings.Join(got[0].unexpected, "; ")
			if got.same() != (tt.want == "") || !strings.Contains(said, tt.want) {
				t.Errorf("got %q, want %q", said, tt.want)
			}
		})
	}
}

func TestUnknownJobs(t *testing.T) {
	if got := unknownJobs(report{{docker: passed("")}}, []difference{{Job: "j"}, {Job: "gone"}}); len(got) != 1 || got.same() {
		t.Errorf("got %+v", got)
	}
}

// Another try of the docker executor counts for jobs that it puts right, and for
// no others.
func TestBetter(t *testing.T) {
	job := func(name, log string, try int) outcome {
		return outcome{job: name, state: gitlab.StateSuccess, log: log, try: try}
	}
	first := []outcome{job("good", "a\n", 1), job("broken", "500\n", 1), job("wrong", "x\n", 1)}
	second := []outcome{job("broken", "b\n", 2), job("wrong", "y\n", 2)}
	driver := []outcome{job("good", "a\n", 1), job("broken", "b\n", 1), job("wrong", "c\n", 1)}
	want := []outcome{first[0], second[0], first[2]}
	if got := better(first, second, driver, nil); !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestReport(t *testing.T) {
	docker := []outcome{passed("a\n"), failure(3, "b\n")}
	driver := []outcome{passed("a\n"), failure(3, "c\n")}
	docker[1].job, driver[1].job = "k", "k"
	docker[1].try = 2
	for _, tt := range []struct {
		expected []difference
		want     []string
	}{
		{nil, []string{"NOT EXPECTED", "2 jobs, 1 the same, 0 different as expected, 1 not as expected", "\nk: ", "-b\n", "+c\n"}},
		{[]difference{{Job: "k", Output: "-b\n+c\n", Why: "so it is"}}, []string{"so it is (docker: try 2)", "2 jobs, 1 the same, 1 different as expected, 0 not as expected"}},
	} {
		var out bytes.Buffer
		compare(docker, driver, tt.expected).print(&out)
		for _, want := range tt.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, out.String())
			}
		}
	}
}

func TestParseDifferences(t *testing.T) {
	for want, text := range map[string]string{
		"unknown field":         "- {job: a, why: b, output: c, ouptut: d}",
		"has no job, or no why": "- {job: a, output: c}",
		"want both docker and":  "- {job: a, why: b, docker: success}",
		"nothing differs":       "- {job: a, why: b}",
		"a stands there twice":  "- {job: a, why: b, output: c}\n- {job: a, why: b, output: c}",
		"sequence is expected":  "job: a",
	} {
		if got, err := parseDifferences("x.yml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v, want %q", text, got, err, want)
		}
	}
}

// The files are good, and every expected difference is of a job of theirs and
// stands in the page for users.
func TestFiles(t *testing.T) {
	all, err := loadPipelines(nil)
	if err != nil {
		t.Fatal(err)
	}
	expected, err := parseDifferences("differences.yml", differencesText)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/migrating-from-docker.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range expected {
		if !all.have(d.Job) {
			t.Errorf("differences.yml: no pipeline has a job %q", d.Job)
		}
		if !strings.Contains(string(page), "`"+d.Job+"`") {
			t.Errorf("docs/migrating-from-docker.md: the job %q is missing", d.Job)
		}
	}
}

// With names of jobs those run that are named, and those before them.
func TestLoadPipelinesOfNames(t *testing.T) {
	all, err := loadPipelines([]string{"found again", "hello"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range all {
		for _, j := range p.Jobs {
			got = append(got, j.Job.Info.Name)
		}
	}
	for _, name := range []string{"hello", "found again", "kept"} {
		if !slices.Contains(got, name) {
			t.Errorf("got %q, want %q among them", got, name)
		}
	}
	if slices.Contains(got, "exit code") || slices.Contains(got, "used") {
		t.Errorf("got %q", got)
	}
	if _, err := loadPipelines([]string{"no such job"}); err == nil {
		t.Error("a job that does not exist is not an error")
	}
}
