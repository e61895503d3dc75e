package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"podman-executor/internal/driver"
	"podman-executor/internal/handover"
	"podman-executor/internal/launch"
	"podman-executor/internal/plan"
	"podman-executor/internal/slurm"
	"podman-executor/pkg/podman"
)

// said is an error that podman ends with.
func said(code int, stderr string) error {
	return fmt.Errorf("asking: %w", &podman.ExitError{Verb: "start", Code: code, Stderr: stderr})
}

func looks(states ...podman.State) []look {
	var list []look
	for _, s := range states {
		list = append(list, look{state: s})
	}
	return list
}

var (
	running  = podman.State{Status: "running"}
	removing = podman.State{Status: "removing", ExitCode: 137}
	missing  = look{err: said(125, "no such container x")}
	broken   = look{err: said(125, "database is locked")}
	memory   = &plan.Memory{Limit: "512m", More: "set it higher"}
)

func exited(code int) podman.State { return podman.State{Status: "exited", ExitCode: code} }

func outOfMemory(s podman.State) podman.State {
	s.OOMKilled = true
	return s
}

// in words is what an error is, for comparisons: its kind, and its text.
func inWords(err error) string {
	var script *driver.ScriptError
	var refusal *driver.Refusal
	var fault *driver.Fault
	switch {
	case err == nil:
		return "passed"
	case errors.As(err, &script) && script.Cause != nil:
		return fmt.Sprintf("script %d: %v", script.Code, script.Cause)
	case errors.As(err, &script):
		return fmt.Sprintf("script %d", script.Code)
	case errors.As(err, &refusal):
		return "refusal: " + err.Error()
	case errors.As(err, &fault):
		return "fault: " + err.Error()
	}
	return err.Error()
}

const wasRemoved = "fault: the job's container is gone: "

// TestOutcome has the rows of outcome's table, and how its questions lead to them.
func TestOutcome(t *testing.T) {
	for _, test := range []struct {
		name string
		end  stepEnd
		ask  question
		want string
	}{
		{"0", stepEnd{}, noQuestion, "passed"},
		{"podman cannot be run", stepEnd{err: context.DeadlineExceeded}, noQuestion, "context deadline exceeded"},
		{"a script's code", stepEnd{err: said(3, "")}, noQuestion, "script 3"},

		{"0 of a service", stepEnd{service: true}, askState, ""},
		{"0 of a service: ended", stepEnd{service: true, looks: looks(exited(0))}, askRun, ""},
		{"0 of a service: ended now", stepEnd{service: true, looks: looks(exited(0)), run: thisRun}, noQuestion, "passed"},
		{"0 of a service: ended before", stepEnd{service: true, looks: looks(exited(0)), run: earlierRun}, noQuestion, "fault: the connection to the podman service broke while the step ran: the container did not run"},
		{"0 of a service: ended with another code", stepEnd{service: true, looks: looks(exited(1)), run: thisRun}, noQuestion, "fault: the connection to the podman service broke while the step ran: the container exited with code 1"},
		{"0 of a service: running", stepEnd{service: true, looks: looks(running, running)}, askStateLater, ""},
		{"0 of a service: just ended", stepEnd{service: true, looks: looks(running, running, exited(0)), run: thisRun}, noQuestion, "passed"},
		{"0 of a service: running on", stepEnd{service: true, looks: looks(running, running, running)}, noQuestion, "fault: the connection to the podman service broke while the step ran: the container is running"},
		{"0 of a service: gone", stepEnd{service: true, looks: []look{missing}}, noQuestion, wasRemoved},
		{"0 of a service: unknown", stepEnd{service: true, looks: []look{broken}}, noQuestion, "fault: the connection to the podman service broke while the step ran: asking: podman start: exit status 125: database is locked"},

		{"a code like podman's", stepEnd{err: said(126, "")}, askState, ""},
		{"a code like podman's: ended", stepEnd{err: said(126, ""), looks: looks(exited(126))}, askRun, ""},
		{"a code like podman's: ended now", stepEnd{err: said(126, ""), looks: looks(exited(126)), run: thisRun}, noQuestion, "script 126"},
		{"a code like podman's: gone", stepEnd{err: said(125, ""), looks: []look{missing}}, noQuestion, wasRemoved},
		{"a code like podman's: unknown", stepEnd{err: said(125, ""), looks: []look{broken}}, noQuestion, "fault: podman start exited with status 125, and it is unknown whether that is the script's"},
		{"a code like podman's: running", stepEnd{err: said(125, "x"), looks: looks(running)}, noQuestion, "fault: running the step: podman start: exit status 125: x; the container is running"},
		{"podman was killed", stepEnd{err: said(-1, ""), looks: looks(exited(0))}, noQuestion, "fault: running the step: podman start: ended by a signal; the container is exited"},

		{"not started", stepEnd{err: said(127, "x"), looks: looks(exited(0))}, askStart, ""},
		{"not started, ended before with that code", stepEnd{err: said(127, "x"), looks: looks(exited(127)), run: earlierRun}, askStart, ""},
		{"not started: no shell", stepEnd{err: said(127, "x"), looks: looks(exited(0)), start: &startAnswer{said(127, "crun: executable file `sh` not found in $PATH")}}, noQuestion, "refusal: starting the job's container: "},
		{"not started: no device", stepEnd{err: said(126, "x"), looks: looks(exited(0)), start: &startAnswer{said(126, "unresolvable CDI devices")}}, noQuestion, "fault: starting the job's container: "},
		{"not started: says why", stepEnd{err: said(125, "x"), looks: looks(exited(0)), start: &startAnswer{said(125, "why")}}, noQuestion, "fault: starting the job's container: asking: podman start: exit status 125: why"},
		{"not started: says nothing now", stepEnd{err: said(125, "x"), looks: looks(exited(0)), start: &startAnswer{}}, noQuestion, "fault: running the step: podman start: exit status 125: x; the container is exited"},
		{"never started: says nothing now", stepEnd{err: said(125, "x"), looks: looks(podman.State{Status: "created"}), start: &startAnswer{}}, noQuestion, "fault: starting the job's container: podman start: exit status 125: x"},

		{"killed", stepEnd{err: said(137, ""), looks: looks(exited(137)), run: thisRun}, askStateLater, ""},
		{"killed, and there", stepEnd{err: said(137, ""), looks: looks(exited(137), exited(137)), run: thisRun}, noQuestion, "script 137"},
		{"killed, and being removed", stepEnd{err: said(137, ""), looks: looks(exited(137), removing), run: thisRun}, noQuestion, wasRemoved + "it is being removed"},
		{"killed, and gone", stepEnd{err: said(137, ""), looks: append(looks(exited(137)), missing), run: thisRun}, noQuestion, wasRemoved},
		{"killed, and unknown", stepEnd{err: said(137, ""), looks: append(looks(exited(137)), broken), run: thisRun}, noQuestion, "script 137"},

		{"killed for memory", stepEnd{err: said(137, ""), looks: looks(outOfMemory(exited(137))), run: thisRun}, askReported, ""},
		{"killed for memory, no limit", stepEnd{err: said(137, ""), looks: looks(outOfMemory(exited(137))), run: thisRun, outOfMemory: notReported}, noQuestion, "script 137: out of memory: the kernel killed a process of the script"},
		{"a code, with a limit", stepEnd{err: said(2, ""), limit: memory}, askState, ""},
		{"a code, with a limit: not out of memory", stepEnd{err: said(2, ""), limit: memory, looks: looks(exited(2))}, noQuestion, "script 2"},
		{"a code, with a limit: unknown", stepEnd{err: said(2, ""), limit: memory, looks: []look{missing}}, noQuestion, "script 2"},
		{"a code, out of memory", stepEnd{err: said(2, ""), limit: memory, looks: looks(outOfMemory(exited(2)))}, askReported, ""},
		{"a code, out of memory, not reported yet", stepEnd{err: said(2, ""), limit: memory, looks: looks(outOfMemory(exited(2))), outOfMemory: notReported}, noQuestion, "script 2: out of memory: the script used more than its limit of 512m"},
		{"a code, out of memory, reported before", stepEnd{err: said(2, ""), limit: memory, looks: looks(outOfMemory(exited(2))), outOfMemory: reportedBefore}, noQuestion, "script 2"},
	} {
		compare(t, test.name, test.end, test.ask, test.want)
	}
}

// TestOutcomeHandedOver has the rows of handedOver's table.
func TestOutcomeHandedOver(t *testing.T) {
	failed := &handover.StepError{Code: 4}
	for _, test := range []struct {
		name string
		end  stepEnd
		ask  question
		want string
	}{
		{"0", stepEnd{}, noQuestion, "passed"},
		{"a code", stepEnd{err: failed}, noQuestion, "script 4"},
		{"a code, with a limit", stepEnd{err: failed, limit: memory}, askEnd, ""},
		{"a code, with a limit: unknown", stepEnd{err: failed, limit: memory, looks: []look{broken}}, noQuestion, "script 4"},
		{"a code, with a limit: not out of memory", stepEnd{err: failed, limit: memory, looks: looks(exited(0))}, noQuestion, "script 4"},
		{"a code, out of memory", stepEnd{err: failed, limit: memory, looks: looks(outOfMemory(exited(0)))}, askReported, ""},
		{"a code, out of memory, not reported yet", stepEnd{err: failed, limit: memory, looks: looks(outOfMemory(exited(0))), outOfMemory: notReported}, noQuestion, "script 4: out of memory: the script used more than its limit of 512m"},
		{"no container", stepEnd{err: said(125, "no such container x")}, noQuestion, wasRemoved},
		{"it has ended", stepEnd{err: handover.ErrEnded}, askStateLater, ""},
		{"it has ended, and is gone", stepEnd{err: handover.ErrEnded, looks: []look{missing}}, noQuestion, wasRemoved},
		{"it has ended, and is being removed", stepEnd{err: handover.ErrEnded, looks: looks(outOfMemory(removing))}, noQuestion, wasRemoved + "it is being removed"},
		{"it has ended, out of memory", stepEnd{err: handover.ErrEnded, looks: looks(outOfMemory(exited(137)))}, askReported, ""},
		{"it has ended, out of memory, not reported yet", stepEnd{err: handover.ErrEnded, looks: looks(outOfMemory(exited(137))), outOfMemory: notReported}, noQuestion, "script 137: out of memory: the kernel killed"},
		{"it has ended, unknown", stepEnd{err: handover.ErrEnded, looks: []look{broken}}, noQuestion, "fault: " + handover.ErrEnded.Error() + "\nasking: podman start"},
		{"it has ended otherwise", stepEnd{err: handover.ErrEnded, looks: looks(exited(143))}, noQuestion, "fault: " + handover.ErrEnded.Error() + ", with exit code 143"},
		{"anything else", stepEnd{err: errors.New("no pipe")}, noQuestion, "fault: handing a step to the container: no pipe"},
	} {
		test.end.stays = true
		compare(t, test.name, test.end, test.ask, test.want)
	}
}

// compare compares an outcome with the question, or with the beginning of the words, that
// is wanted.
func compare(t *testing.T, name string, e stepEnd, ask question, want string) {
	t.Helper()
	got, err := outcome(e)
	if got != ask || ask != noQuestion && err != nil || ask == noQuestion && !begins(inWords(err), want) {
		t.Errorf("%s: got question %d, %s; want %d, %s", name, got, inWords(err), ask, want)
	}
}

// begins compares an end with nothing after it exactly, and a message by its beginning.
func begins(got, want string) bool {
	return got == want || strings.Contains(want, ": ") && strings.HasPrefix(got, want)
}

func TestLaunchedOutcome(t *testing.T) {
	l := plan.Launch{Program: "/usr/bin/srun", Variable: "SCHEDULER_PARAMETERS", Options: []string{"--time=5"}}
	timeout, memoryGone := &slurm.Job{ID: 7, State: "TIMEOUT", Reason: "TimeLimit"}, &slurm.Job{ID: 7, State: "OUT_OF_MEMORY", Reason: "None"}
	for _, test := range []struct {
		name string
		end  launch.Outcome
		job  *slurm.Job
		want string
	}{
		{"0", launch.Outcome{Started: true, Reported: true}, nil, "passed"},
		{"a code", launch.Outcome{Started: true, Reported: true, Status: 3, Launcher: 3}, nil, "script 3"},
		{"Slurm's job has completed", launch.Outcome{Started: true, Reported: true, Status: 3, Launcher: 3}, &slurm.Job{ID: 7, State: "COMPLETED"}, "script 3"},
		{"the launcher fails after it", launch.Outcome{Started: true, Reported: true, Launcher: 1}, nil, "fault: the script succeeded, then the launcher srun exited with code 1"},
		{"killed", launch.Outcome{Started: true, Launcher: 137}, nil, "fault: the container was killed while the script ran; the launcher srun exited with code 137"},
		{"no shell", launch.Outcome{Launcher: 127, Stderr: "crun: executable file `sh` not found in $PATH"}, nil, "refusal: the container could not be started on the machine that the launcher chose"},
		{"not started", launch.Outcome{Launcher: 1}, nil, "fault: the launcher srun exited with code 1 before the script began"},
		{"too little time, of the author's", launch.Outcome{Started: true, Launcher: 1}, timeout, "refusal: job 7 was ended by Slurm: " + timeout.EndedBySlurm() + " (TIMEOUT): TimeLimit"},
		{"too little memory, of the partition's", launch.Outcome{Started: true, Launcher: 1}, memoryGone, "fault: job 7 was ended by Slurm: " + memoryGone.EndedBySlurm() + " (OUT_OF_MEMORY)"},
	} {
		if got := inWords(launchedOutcome(l, "", test.end, test.job)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}
