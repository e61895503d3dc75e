package gitlab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// serve runs jobs in the background until ctx ends: a job's first command is
// "exit N" or a text to print, and jobs with artifacts upload some.
func (c *client) serve(ctx context.Context, began func(*Job)) {
	for ctx.Err() == nil {
		job := c.request()
		if job == nil {
			time.Sleep(time.Millisecond)
			continue
		}
		began(job)
		c.running(job)
		if len(job.Artifacts) > 0 {
			c.upload(job, job.Token, "artifact_type=archive&artifact_format=zip", "zip of "+job.Info.Name)
		}
		code := 0
		log := job.Steps[0].Script[0] + "\nend"
		if _, err := fmt.Sscanf(log, "exit %d", &code); err != nil {
			code = 0
		}
		c.patch(job, 0, log)
		c.final(job, log, code)
	}
}

// serving starts serve and returns what stops it and the jobs it had.
func serving(t *testing.T, c *client) func() []*Job {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	var jobs []*Job
	go func() {
		defer close(done)
		c.serve(ctx, func(j *Job) { jobs = append(jobs, j) })
	}()
	return func() []*Job {
		cancel()
		<-done
		return jobs
	}
}

func mustParse(t *testing.T, text string) *Pipeline {
	t.Helper()
	p, err := ParsePipeline("x.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type pipelineTest struct {
	name, text string
	want       []string // job and state
	order      string   // of pickup
	passed     bool
}

func TestPipelineRun(t *testing.T) {
	tests := []pipelineTest{
		{
			"stages", "t: {script: t}\nd: {stage: deploy, script: d}\nb2: {stage: build, script: b2}\nb1: {stage: build, script: b1}\n",
			[]string{"b2 success", "b1 success", "t success", "d success"},
			"b2 b1 t d", true,
		},
		{
			"failure skips the rest", "b1: {stage: build, script: exit 3}\nb2: {stage: build, script: b2}\nt: {script: t}\nd: {stage: deploy, script: d}\n",
			[]string{"b1 failed", "b2 success", "t skipped", "d skipped"},
			"b1 b2", false,
		},
		{
			"allowed failure", "b: {stage: build, script: exit 3, allow_failure: true}\nt: {script: t}\n",
			[]string{"b failed", "t success"},
			"b t", true,
		},
		{
			"allowed exit code", "b: {stage: build, script: exit 3, allow_failure: {exit_codes: [2, 3]}}\nt: {script: t}\n",
			[]string{"b failed", "t success"},
			"b t", true,
		},
		{
			"exit code that is not allowed", "b: {stage: build, script: exit 3, allow_failure: {exit_codes: 4}}\nt: {script: t}\n",
			[]string{"b failed", "t skipped"},
			"b", false,
		},
		{
			"needs", "bad: {stage: build, script: exit 1}\ngood: {stage: build, script: g}\nfree: {script: f, needs: []}\nfine: {script: f, needs: [good]}\nlost: {script: l, needs: [bad]}\nafter: {stage: deploy, script: a, needs: [lost]}\n",
			[]string{"bad failed", "good success", "free success", "fine success", "lost skipped", "after skipped"},
			"bad good free fine", false,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.run(t)
		})
	}
}

func (test pipelineTest) run(t *testing.T) {
	t.Helper()
	server, c := start(t)
	stop := serving(t, c)
	results, err := mustParse(t, test.text).Run(timeout(t), server, PipelineOptions{})
	var got, order []string
	for _, j := range stop() {
		order = append(order, j.Info.Name)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		got = append(got, r.Job+" "+string(r.State))
		if r.State != StateSkipped && (r.Run == nil || r.Duration <= 0) {
			t.Errorf("%s: run %v, duration %v", r.Job, r.Run, r.Duration)
		}
	}
	if diff := cmp.Diff(test.want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if got := strings.Join(order, " "); got != test.order || Passed(results) != test.passed {
		t.Errorf("picked up %s, passed %t; want %s, %t", got, Passed(results), test.order, test.passed)
	}
	wantExpected(t, server)
}

func TestPipelineJobsAreComplete(t *testing.T) {
	server, c := start(t)
	repo := addRepository(t, server, "group/app", Commit{Files: files("a", "1")})
	stop := serving(t, c)
	p := mustParse(t, `
build:
  stage: build
  script: b
  artifacts: {paths: [out]}
  cache: {paths: [c]}
plain: {stage: build, script: p}
test: {script: t}
`)
	var lines, changes []string
	results, err := p.Run(timeout(t), server, PipelineOptions{
		Repository: repo,
		Edit:       func(j *Job) { j.SetVariable("EDITED", j.Info.Name) },
		Line:       func(job, line string) { lines = append(lines, job+": "+line) },
		Change: func(r Result) {
			if r.Job == "test" {
				changes = append(changes, string(r.State))
			}
		},
	})
	jobs := stop()
	if err != nil || !Passed(results) {
		t.Fatalf("pipeline: %v, %v", results, err)
	}
	last := jobs[len(jobs)-1]
	archive := int64(len("zip of build"))
	want := []Dependency{{ID: jobs[0].ID, Token: jobs[0].Token, Name: "build", ArtifactsFile: ArtifactsFile{"artifacts.zip", archive}}}
	if diff := cmp.Diff(want, last.Dependencies); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
	if v, _ := variable(last, "EDITED"); v.Value != "test" || last.Git.SHA != repo.SHA("main") || last.Info.PipelineID != 1 {
		t.Errorf("EDITED is %q, sha %s, pipeline %d", v.Value, last.Git.SHA, last.Info.PipelineID)
	}
	if got := jobs[0].Cache[0].Key; got != "default-non_protected" || p.Jobs[0].Job.Cache[0].Key != "default" {
		t.Errorf("cache key %q, of the template %q", got, p.Jobs[0].Job.Cache[0].Key)
	}
	if got := strings.Join(lines, "; "); !strings.HasSuffix(got, "test: t; test: end") || len(lines) != 6 {
		t.Errorf("lines: %s", got)
	}
	if changes[0] != "pending" || changes[len(changes)-1] != "success" {
		t.Errorf("changes of test: %v", changes)
	}
}

func TestPipelineEndsWithContext(t *testing.T) {
	server, c := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	p := mustParse(t, "a: {stage: build, script: a}\nb: {stage: build, script: b}\nc: {script: c}\n")
	var picked *Job
	results, err := p.Run(ctx, server, PipelineOptions{Change: func(r Result) {
		if r.Job == "b" && r.State == StatePending && picked == nil {
			picked = c.mustRequest()
			c.running(picked)
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	var states []State
	for _, r := range results {
		states = append(states, r.State)
	}
	if diff := cmp.Diff([]State{StateRunning, StateCanceled, StatePending}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	wantHeader(t, "call of the job under way", c.running(picked), "Job-Status", "canceled")
}
