package main

import (
	"errors"
	"fmt"

	"podman-executor/internal/driver"
	"podman-executor/internal/handover"
	"podman-executor/internal/plan"
	"podman-executor/internal/site"
	"podman-executor/pkg/podman"
)

// stepEnd is what is known of a step that has ended in a container. What is not known yet
// has its zero value.
type stepEnd struct {
	// err is what `podman start`, or handing over the step, ended with; nil for status 0.
	err error
	// stays: the container stays for the whole job, and the step was handed over to it.
	// service: a podman service has the container.
	stays, service bool
	// limit is the container's limit of memory, nil where it has none.
	limit *plan.Memory
	// podman and container are the program and the container's name, for hints.
	podman, container string

	// looks are what podman says of the container, in order.
	looks []look
	// run is which run of the container the looks are about.
	run whichRun
	// outOfMemory is whether an earlier step of the job has reported that memory ran out.
	outOfMemory reported
	// start is what podman says when it is asked to start the container again.
	start *startAnswer
}

// look is an answer of `podman container inspect`.
type look struct {
	state podman.State
	err   error
}

// startAnswer is an answer of `podman container init`.
type startAnswer struct{ err error }

// whichRun is which run of a container an inspection is about.
type whichRun int

const (
	unknownRun whichRun = iota
	earlierRun
	thisRun
)

// reported is whether an earlier step has reported something.
type reported int

const (
	unknownReport reported = iota
	notReported
	reportedBefore
)

// question is what an outcome depends on beyond what is known.
type question int

const (
	// noQuestion: the outcome is known.
	noQuestion question = iota
	// askState asks podman for the container's state, askStateLater a second later.
	askState
	askStateLater
	// askEnd waits for the end of the container, and asks for its state.
	askEnd
	// askRun finds out whether the container's run is this step's.
	askRun
	// askReported finds out whether running out of memory was reported before.
	askReported
	// askStart asks podman to make the container ready once more.
	askStart
)

// outcome returns what a step's end means: nil, a [driver.ScriptError], a [driver.Refusal]
// or a [driver.Fault]; or else the question that has to be answered first.
//
// podman uses 125 to 127 for itself, and 137 is also what a container ends with that was
// killed or removed: for those, and for a podman that a signal has ended, the container's
// state decides.
//
//	podman start       the container                      the outcome
//	0                  (on this machine)                  the script has passed
//	0                  has ended with 0 in this step      the script has passed (service)
//	0                  anything else                      the connection broke  (service)
//	125…127, 137, -1   gone                               it was removed
//	125…127, 137, -1   unknown                            a fault
//	125…127, 137       has ended with that in this step   the script's code
//	137                the same, gone a second later      it was removed
//	-1                 anything else                      podman failed
//	125…127, 137       running                            podman failed
//	125…127, 137       anything else                      podman could not start it
//	others                                                the script's code
//
// The state is that of an earlier step where podman could not start the container for this
// one (4.3.1). Its times are not compared with a clock of this program: with a podman
// service they come from another clock, and a clock may be set while a step runs.
//
// Where the container has a limit of memory, its state is asked for with all other codes:
// make, for example, ends with a code of its own where the kernel has killed what it ran.
func outcome(e stepEnd) (question, error) {
	var exit *podman.ExitError
	switch {
	case e.stays:
		return handedOver(e)
	case e.err == nil && e.service:
		return passedOnService(e)
	case !errors.As(e.err, &exit):
		return noQuestion, e.err
	}
	doubtful := isDoubtful(exit.Code)
	script := &driver.ScriptError{Code: exit.Code}
	if !doubtful && e.limit == nil {
		return noQuestion, script
	}
	if len(e.looks) == 0 {
		return askState, nil
	}
	state, stateErr := e.looks[0].state, e.looks[0].err
	switch {
	case !doubtful && (stateErr != nil || !state.OOMKilled):
		return noQuestion, script
	case !doubtful:
		return ranOutOfMemory(e, script)
	case podman.NoSuchContainer(stateErr):
		return noQuestion, gone(stateErr)
	case stateErr != nil:
		return noQuestion, &driver.Fault{
			Err:  fmt.Errorf("podman start ended with exit status %d, and whether that is the script's is not known: %w", exit.Code, stateErr),
			Hint: "run `podman ps --all` as the user that gitlab-runner runs as",
		}
	case hasEnded(state) && state.ExitCode == exit.Code && e.run == unknownRun:
		return askRun, nil
	case e.run == thisRun:
		return endedInThisRun(e, state, script)
	case exit.Code == -1 || state.Status == "running":
		return noQuestion, failedWhile(exit, state)
	default:
		return notStarted(e, exit, state)
	}
}

// isDoubtful reports whether an exit code of `podman start` may be podman's own.
func isDoubtful(code int) bool {
	switch code {
	case podman.ExitPodman, podman.ExitNotExecutable, podman.ExitNotFound, podman.ExitKilled, -1:
		return true
	}
	return false
}

// endedInThisRun is a container that has ended in this step, with the code of `podman start`.
func endedInThisRun(e stepEnd, state podman.State, script *driver.ScriptError) (question, error) {
	switch {
	case state.OOMKilled:
		return ranOutOfMemory(e, script)
	case script.Code != podman.ExitKilled:
		return noQuestion, script
	case len(e.looks) == 1:
		// A container that somebody removes with force is killed first, and is there for a
		// moment longer.
		return askStateLater, nil
	}
	return noQuestion, removedOr(e.looks[1], script)
}

// removedOr returns the fault of a container that is gone, or is going; else the other error.
func removedOr(l look, other error) error {
	switch {
	case podman.NoSuchContainer(l.err):
		return gone(l.err)
	case l.err == nil && l.state.Status == "removing":
		return gone(errors.New("it is being removed"))
	}
	return other
}

// runningLooks is how often more a container is looked at that has not ended, though podman
// start has: podman may just be noting its end.
const runningLooks = 2

// passedOnService is a `podman start --attach` that ended with 0 on a podman service. It
// also does so when the connection to the service breaks (4.3.1), while the container may
// run on: only the container's state proves that the script has passed.
func passedOnService(e stepEnd) (question, error) {
	if len(e.looks) == 0 {
		return askState, nil
	}
	last := e.looks[len(e.looks)-1]
	switch {
	case podman.NoSuchContainer(last.err):
		return noQuestion, gone(last.err)
	case last.err != nil:
		return noQuestion, lost(last.err)
	case !hasEnded(last.state) && len(e.looks) > runningLooks:
		return noQuestion, lost(fmt.Errorf("the container is %s", last.state.Status))
	case !hasEnded(last.state):
		return askStateLater, nil
	case e.run == unknownRun:
		return askRun, nil
	case e.run == earlierRun:
		return noQuestion, lost(errors.New("the container did not run"))
	case last.state.ExitCode != 0:
		return noQuestion, lost(fmt.Errorf("the container has ended with %d", last.state.ExitCode))
	}
	return noQuestion, nil
}

// ranOutOfMemory adds to a script's end that the kernel has killed one of its processes,
// where no step of the job has said so before. conmon has seen it in the cgroup's
// memory.events (conmon src/cgroup.c), whichever process it was. podman 4.3.1 never
// forgets it of a container (libpod/container_internal.go:216), so it is said of one step only.
func ranOutOfMemory(e stepEnd, script *driver.ScriptError) (question, error) {
	switch {
	case e.outOfMemory == unknownReport:
		return askReported, nil
	case e.outOfMemory == reportedBefore:
	case e.limit == nil || e.limit.Limit == "":
		script.Cause = &driver.Refusal{
			Err:  errors.New("out of memory: the kernel has killed a process of the script"),
			Hint: "use less memory; the limit is one of the machine, or of custom_options in the policy of this runner",
		}
	default:
		script.Cause = &driver.Refusal{
			Err:  fmt.Errorf("out of memory: the script used more than its limit of %s, and the kernel has killed a process of it", e.limit.Limit),
			Hint: e.limit.More,
		}
	}
	return noQuestion, script
}

// notStarted distinguishes an image without a shell from a podman that cannot start
// containers. What podman said has gone to the job log; asked to make the container ready
// once more, it says the same again. Where it says nothing now, a container that has run
// before may have run in this step as well.
func notStarted(e stepEnd, exit error, state podman.State) (question, error) {
	if e.start == nil {
		return askStart, nil
	}
	if e.start.err != nil {
		exit = e.start.err
	} else if hasEnded(state) {
		return noQuestion, failedWhile(exit, state)
	}
	err := fmt.Errorf("starting the job's container: %w", exit)
	if podman.NoSuchProgram(exit) {
		return noQuestion, &driver.Refusal{Err: err, Hint: site.NoShellHint}
	}
	if podman.NoSuchCDIDevice(exit) {
		return noQuestion, &driver.Fault{Err: err, Hint: site.NoCDIDeviceHint}
	}
	return noQuestion, &driver.Fault{Err: err, Hint: "see what podman says above"}
}

// handedOver is [outcome] for a container that stays for the whole job.
//
//	handing over     the container                          the outcome
//	0                                                       the script has passed
//	a code           without a limit of memory              the script's code
//	a code           with one: its end says out of memory   the script's code, and why
//	no container                                            it was removed
//	it has ended     gone, or being removed                 it was removed
//	it has ended     out of memory                          137, and why
//	it has ended     anything else                          it was stopped
//	other errors                                            a fault
func handedOver(e stepEnd) (question, error) {
	var exit *handover.StepError
	switch {
	case e.err == nil:
		return noQuestion, nil
	case errors.As(e.err, &exit) && e.limit == nil:
		return noQuestion, &driver.ScriptError{Code: exit.Code}
	case errors.As(e.err, &exit) && len(e.looks) == 0:
		// Whether the kernel has killed something is not known before the container's end.
		return askEnd, nil
	case errors.As(e.err, &exit) && (e.looks[0].err != nil || !e.looks[0].state.OOMKilled):
		return noQuestion, &driver.ScriptError{Code: exit.Code}
	case errors.As(e.err, &exit):
		return ranOutOfMemory(e, &driver.ScriptError{Code: exit.Code})
	case podman.NoSuchContainer(e.err):
		return noQuestion, gone(e.err)
	case errors.Is(e.err, handover.ErrEnded):
		return stopped(e)
	}
	return noQuestion, &driver.Fault{
		Err:  fmt.Errorf("handing a step to the container: %w", e.err),
		Hint: fmt.Sprintf("`%s start %s` may say more; see start_per_step of the policy, too", e.podman, e.container),
	}
}

// stopped is a container that ended in the middle of a step, by itself or by somebody
// else, who may just be removing it.
func stopped(e stepEnd) (question, error) {
	if len(e.looks) == 0 {
		return askStateLater, nil
	}
	state, err := e.looks[0].state, e.looks[0].err
	if err == nil && state.OOMKilled && state.Status != "removing" {
		return ranOutOfMemory(e, &driver.ScriptError{Code: podman.ExitKilled})
	}
	if err != nil {
		err = errors.Join(e.err, err)
	} else {
		err = fmt.Errorf("%w, with exit code %d", e.err, state.ExitCode)
	}
	return noQuestion, removedOr(e.looks[0], &driver.Fault{Err: err, Hint: "somebody, or something such as a shutdown of the machine, has ended it"})
}

func hasEnded(s podman.State) bool { return s.Status == "exited" || s.Status == "stopped" }

// lost is the fault of a connection to a podman service that broke while a step ran.
func lost(err error) error {
	return &driver.Fault{
		Err:  fmt.Errorf("the connection to the podman service broke while the step ran: %w", err),
		Hint: "see whether the host of the service, and podman on it, have ended or were started anew",
	}
}

// gone is the fault of a container that was removed while the job ran.
func gone(err error) error {
	return &driver.Fault{
		Err:  fmt.Errorf("the job's container is gone: %w", err),
		Hint: "somebody, or something such as `podman system prune`, has removed it while the job ran",
	}
}

// failedWhile is the fault of a podman that failed, or was killed, while the step ran.
func failedWhile(exit error, state podman.State) error {
	return &driver.Fault{Err: fmt.Errorf("running the step: %w; the container is %s", exit, state.Status), Hint: "see what podman says above"}
}
