package gitlab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJobFromPickupToEnd(t *testing.T) {
	tests := []struct {
		name   string
		code   int
		state  State
		reason string
	}{
		{"success", 0, StateSuccess, ""},
		{"failure", 42, StateFailed, "script_failure"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server, c := start(t)
			run := server.Submit(NewJob("job", "true"))
			if got := run.State(); got != StatePending {
				t.Errorf("submitted job is %s", got)
			}
			job := c.mustRequest()
			a := c.running(job)
			wantStatus(t, "running", a, http.StatusOK)
			wantHeader(t, "running", a, "Job-Status", "running")
			wantStatus(t, "keep-alive", c.running(job), http.StatusOK)
			a = c.patch(job, 0, "hello\n")
			wantStatus(t, "patch", a, http.StatusAccepted)
			wantHeader(t, "patch", a, "X-GitLab-Trace-Update-Interval", "1")
			wantHeader(t, "patch", a, "Job-Status", "running")
			wantHeader(t, "patch", a, "Range", "0-6")
			wantStatus(t, "final", c.final(job, "hello\n", test.code), http.StatusOK)
			if err := run.Wait(timeout(t)); err != nil {
				t.Fatal(err)
			}
			wantEnd(t, run, test.state, test.reason, test.code)
			path := fmt.Sprintf("/api/v4/jobs/%d", job.ID)
			wantRequests(t, run, "POST /api/v4/jobs/request: 201", "PUT "+path+": 200", "PUT "+path+": 200",
				"PATCH "+path+"/trace: 202", "PUT "+path+": 200")
			times := run.Times()
			if times.Submitted.After(times.PickedUp) || times.PickedUp.After(times.Started) || times.Started.After(times.Finished) {
				t.Errorf("times out of order: %+v", times)
			}
			wantExpected(t, server)
		})
	}
}

func wantEnd(t *testing.T, run *Run, state State, reason string, code int) {
	t.Helper()
	if run.State() != state || run.FailureReason() != reason || run.ExitCode() != code {
		t.Errorf("ended as %s, %q, %d; want %s, %q, %d", run.State(), run.FailureReason(), run.ExitCode(), state, reason, code)
	}
}

func wantRequests(t *testing.T, run *Run, want ...string) {
	t.Helper()
	var got []string
	for _, r := range run.Requests() {
		got = append(got, r.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Requests (-want +got):\n%s", diff)
	}
}

func TestTraceOffsets(t *testing.T) {
	server, c := start(t)
	run := server.Submit(NewJob("job", "true"))
	job := c.mustRequest()
	c.running(job)
	steps := []struct {
		offset  int
		content string
		status  int
		length  string // in Range
	}{
		{0, "0123456789", 202, "0-10"},
		{20, "gap", 416, "0-10"},
		{0, "0123456789", 416, "0-10"},
		{10, "abc", 202, "0-13"},
	}
	for _, step := range steps {
		a := c.patch(job, step.offset, step.content)
		what := fmt.Sprintf("patch at %d", step.offset)
		wantStatus(t, what, a, step.status)
		wantHeader(t, what, a, "Range", step.length)
	}
	if got := string(run.Trace()); got != "0123456789abc" {
		t.Errorf("trace is %q", got)
	}
	wantExpected(t, server)

	for _, contentRange := range []string{"", "x", "13-13", "13-99"} {
		a := c.do("PATCH", fmt.Sprintf("jobs/%d/trace", job.ID), map[string]string{"JOB-TOKEN": job.Token, "Content-Range": contentRange}, []byte("abc"))
		wantStatus(t, fmt.Sprintf("patch with range %q", contentRange), a, http.StatusBadRequest)
	}
}

func TestFinalUpdateVerifiesTrace(t *testing.T) {
	server, c := start(t)
	run := server.Submit(NewJob("job", "true"))
	job := c.mustRequest()
	c.running(job)
	c.patch(job, 0, "helio\n")
	wantStatus(t, "wrong checksum", c.final(job, "hello\n", 0), http.StatusPreconditionFailed)
	if got := run.Trace(); len(got) != 0 {
		t.Errorf("trace is %q after 412, want it empty", got)
	}
	wantStatus(t, "patch from the start", c.patch(job, 0, "hello"), http.StatusAccepted)
	wantStatus(t, "wrong length", c.final(job, "hello\n", 0), http.StatusPreconditionFailed)
	c.patch(job, 0, "hello\n")
	wantStatus(t, "right trace", c.final(job, "hello\n", 0), http.StatusOK)
	wantEnd(t, run, StateSuccess, "", 0)
	wantExpected(t, server)
}

func TestFinalReplies(t *testing.T) {
	server, c := start(t)
	job := NewJob("job", "true")
	job.FinalReplies = []int{http.StatusAccepted, http.StatusPreconditionFailed}
	run := server.Submit(job)
	got := c.mustRequest()
	c.running(got)
	c.patch(got, 0, "log")
	for _, status := range job.FinalReplies {
		wantStatus(t, "final update", c.final(got, "log", 0), status)
	}
	if len(run.Trace()) != 0 || run.State() != StateRunning {
		t.Errorf("after 412: %d bytes of trace, state %s", len(run.Trace()), run.State())
	}
	c.patch(got, 0, "log")
	wantStatus(t, "last final update", c.final(got, "log", 0), http.StatusOK)
}

func TestCancelling(t *testing.T) {
	tests := []struct {
		name   string
		stop   func(*Run)
		status string
	}{
		{"cancel", (*Run).Cancel, "canceling"},
		{"abort", (*Run).Abort, "canceled"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server, c := start(t)
			run := server.Submit(NewJob("job", "true"))
			job := c.mustRequest()
			c.running(job)
			wantHeader(t, "patch before", c.patch(job, 0, "a"), "Job-Status", "running")
			test.stop(run)
			a := c.patch(job, 1, "b")
			wantStatus(t, "patch", a, http.StatusAccepted)
			wantHeader(t, "patch", a, "Job-Status", test.status)
			wantHeader(t, "keep-alive", c.running(job), "Job-Status", test.status)
			wantStatus(t, "final", c.final(job, "ab", 1), http.StatusOK)
			wantEnd(t, run, StateFailed, "script_failure", 1)
			wantExpected(t, server)
		})
	}
}

func TestCancelEarly(t *testing.T) {
	server, c := start(t)
	waiting := server.Submit(NewJob("waiting", "true"))
	waiting.Cancel()
	wantEnd(t, waiting, StateCanceled, "", 0)
	if job := c.request(); job != nil {
		t.Errorf("a cancelled job was handed out: %d", job.ID)
	}

	dropped := server.Submit(NewJob("dropped", "true"))
	job := c.mustRequest()
	dropped.Abort()
	if dropped.State().Over() {
		t.Error("over before the runner knows")
	}
	wantHeader(t, "confirmation", c.running(job), "Job-Status", "canceled")
	wantEnd(t, dropped, StateCanceled, "", 0)

	told := server.Submit(NewJob("told", "true"))
	job = c.mustRequest()
	told.Cancel()
	wantHeader(t, "confirmation", c.running(job), "Job-Status", "canceling")
	wantStatus(t, "final", c.final(job, "", 1), http.StatusOK)
	wantEnd(t, told, StateFailed, "script_failure", 1)
	wantExpected(t, server)
}

// As a real runner does it: the patch that was answered with "canceled" comes
// again, longer.
func TestAbortedTrace(t *testing.T) {
	server, c := start(t)
	run := server.Submit(NewJob("job", "true"))
	job := c.mustRequest()
	c.running(job)
	c.patch(job, 0, "one ")
	run.Abort()
	c.patch(job, 4, "two ")
	wantStatus(t, "patch again", c.patch(job, 4, "two three"), http.StatusAccepted)
	wantStatus(t, "patch with a gap", c.patch(job, 40, "x"), http.StatusRequestedRangeNotSatisfiable)
	wantStatus(t, "final with another checksum", c.final(job, "never sent", 1), http.StatusOK)
	if got := string(run.Trace()); got != "one two three" {
		t.Errorf("trace is %q", got)
	}
}

func TestCallsOutOfTurn(t *testing.T) {
	server, c := start(t)
	run := server.Submit(NewJob("job", "true"))
	early := run.Job
	wantStatus(t, "running before pickup", c.running(&early), http.StatusForbidden)
	job := c.mustRequest()
	stranger := *job
	stranger.Token = "stolen"
	wantStatus(t, "wrong token", c.running(&stranger), http.StatusForbidden)
	body := map[string]string{"state": "running", "token": "other"}
	wantStatus(t, "wrong token in the body", c.json("PUT", fmt.Sprintf("jobs/%d", job.ID), "JOB-TOKEN", job.Token, body), http.StatusForbidden)
	wantStatus(t, "unknown state", c.put(job, map[string]any{"state": "happy"}), http.StatusBadRequest)
	wantStatus(t, "state of the wrong type", c.put(job, map[string]any{"state": 1}), http.StatusBadRequest)
	c.execute(job, "x", 0)
	late := []struct {
		what string
		a    answer
	}{
		{"running", c.running(job)},
		{"final", c.final(job, "x", 1)},
		{"patch", c.patch(job, 1, "y")},
		{"upload", c.upload(job, job.Token, "", "zip")},
	}
	for _, call := range late {
		wantStatus(t, call.what+" after the end", call.a, http.StatusForbidden)
		wantHeader(t, call.what+" after the end", call.a, "Job-Status", "success")
	}
	if got := len(server.Unexpected()); got != 9 {
		t.Errorf("%d unexpected calls, want 9: %q", got, server.Unexpected())
	}
	wantEnd(t, run, StateSuccess, "", 0)
}

func TestWaiting(t *testing.T) {
	server, c := start(t)
	run := server.Submit(NewJob("job", "true"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	job := c.mustRequest()
	c.running(job)
	if err := run.WaitStarted(timeout(t)); err != nil {
		t.Error(err)
	}
	found := make(chan error)
	go func() { found <- run.WaitLog(timeout(t), "two") }()
	var followed bytes.Buffer
	done := make(chan error)
	go func() { done <- run.Follow(timeout(t), &followed) }()
	c.patch(job, 0, "one\x1b[0;m\n")
	c.patch(job, 9, "t\x1b[32mwo\n")
	if err := <-found; err != nil {
		t.Error(err)
	}
	c.final(job, "", 0) // wrong: the trace is sent again
	c.patch(job, 0, "one\x1b[0;m\nt\x1b[32mwo\nthree")
	c.final(job, "one\x1b[0;m\nt\x1b[32mwo\nthree", 0)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(string(run.Trace()), followed.String()); diff != "" {
		t.Errorf("Follow (-trace +got):\n%s", diff)
	}
	if err := run.WaitLog(timeout(t), "four"); err == nil || !strings.Contains(err.Error(), "it ended without") {
		t.Errorf("WaitLog for what never comes: %v", err)
	}
}

func TestCleanLog(t *testing.T) {
	tests := []struct{ name, trace, want string }{
		{"plain", "a\nb\n", "a\nb\n"},
		{"colours", "\x1b[0KRunning\x1b[0;m \x1b[31;1mERROR\x1b[0;m\n", "Running ERROR\n"},
		{"sections", "section_start:1700000000:prepare_executor\r\x1b[0K\x1b[36mPreparing\x1b[0;m\nsection_end:1700000001:prepare_executor\r\x1b[0Kx\n", "Preparing\nx\n"},
		{"section with options", "section_start:17:my_first-section.1[collapsed=true,hide=false]\r\x1b[0KTitle\n", "Title\n"},
		{"carriage returns", "10%\r20%\r\n", "10%20%\n"},
		{"talk of sections", "section_start: see docs\n", "section_start: see docs\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := CleanLog([]byte(test.trace)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
