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

// stepEnd is what is known about a step that has ended in a container. What is not known yet
// has its zero value.
type stepEnd struct {
	// err is the error of `podman start`, or of handing over the step; nil for status 0.
	err error
	// stays: the container stays for the whole job, and the step was handed over to it.
	// service: the container is on a podman service.
	stays, service bool
	// limit is the container's memory limit; nil if it has none.
	limit *plan.Memory
	// podman and container are the program and the container's name, for hints. place is where
	// the policy names the container's image, empty if the job does.
	podman, container, place string

	// looks are podman's answers about the container, in order.
	looks []look
	// run is which run of the container the looks are about.
	run whichRun
	// outOfMemory is whether an earlier step of the job has reported that memory ran out.
	outOfMemory reported
	// start is podman's answer when asked to prepare the container again.
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

// question is what must be found out before the outcome is known.
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
	// askStart asks podman to prepare the container once more.
	askStart
)

// outcome returns a step's result: nil, a [driver.ScriptError], a [driver.Refusal] or a
// [driver.Fault]; or else the question that must be answered first.
//
// podman uses 125 to 127 itself, and 137 is also the code of a container that was killed or
// removed. For these codes, and if a signal has ended podman, the container's state decides.
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
// If podman could not start the container for this step, the state is still that of an earlier
// one (4.3.1). Its times are not compared with this program's clock: with a podman service they
// come from another clock, and a clock may be set while a step runs.
//
// If the container has a memory limit, its state is also queried for all other codes: make, for
// example, exits with a code of its own if the kernel has killed what it ran.
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
			Err:  fmt.Errorf("podman start exited with status %d, and it is unknown whether that is the script's: %w", exit.Code, stateErr),
			Hint: "run `podman ps --all` as gitlab-runner's user",
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

// endedInThisRun handles a container that has ended in this step, with the code of `podman
// start`.
func endedInThisRun(e stepEnd, state podman.State, script *driver.ScriptError) (question, error) {
	switch {
	case state.OOMKilled:
		return ranOutOfMemory(e, script)
	case script.Code != podman.ExitKilled:
		return noQuestion, script
	case len(e.looks) == 1:
		// A container that somebody removes with --force is killed first, and exists for a
		// moment longer.
		return askStateLater, nil
	}
	return noQuestion, removedOr(e.looks[1], script)
}

// removedOr returns the fault of a removed container if it is gone or being removed, and
// otherwise the other error.
func removedOr(l look, other error) error {
	switch {
	case podman.NoSuchContainer(l.err):
		return gone(l.err)
	case l.err == nil && l.state.Status == "removing":
		return gone(errors.New("it is being removed"))
	}
	return other
}

// runningLooks is how often a container is inspected again if podman start has ended but the
// container has not: podman may just be recording its end.
const runningLooks = 2

// passedOnService handles a `podman start --attach` that ended with 0 on a podman service. It
// also ends with 0 when the connection to the service breaks (4.3.1), and the container may run
// on: only the container's state proves that the script has passed.
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
		return noQuestion, lost(fmt.Errorf("the container exited with code %d", last.state.ExitCode))
	}
	return noQuestion, nil
}

// ranOutOfMemory adds to a script's error that the kernel has killed one of its processes,
// unless a step of the job has said so before. conmon sees it in the cgroup's memory.events
// (conmon src/cgroup.c), whichever process it was. podman 4.3.1 never clears the flag of a
// container (libpod/container_internal.go:216), so only one step reports it.
func ranOutOfMemory(e stepEnd, script *driver.ScriptError) (question, error) {
	switch {
	case e.outOfMemory == unknownReport:
		return askReported, nil
	case e.outOfMemory == reportedBefore:
	case e.limit == nil || e.limit.Limit == "":
		script.Cause = &driver.Refusal{
			Err:  errors.New("out of memory: the kernel killed a process of the script"),
			Hint: "use less memory; the limit is the machine's, or set by custom_options in this runner's policy",
		}
	default:
		script.Cause = &driver.Refusal{
			Err:  fmt.Errorf("out of memory: the script used more than its limit of %s, and the kernel killed one of its processes", e.limit.Limit),
			Hint: e.limit.More,
		}
	}
	return noQuestion, script
}

// notStarted distinguishes an image that lacks something from a podman that cannot start containers.
// podman's message has gone to the job log, but podman repeats it when asked to prepare the
// container once more. If it reports no error now, a container that has run before may have run
// in this step as well.
func notStarted(e stepEnd, exit error, state podman.State) (question, error) {
	if e.start == nil {
		return askStart, nil
	}
	if e.start.err != nil {
		exit = e.start.err
	} else if hasEnded(state) {
		return noQuestion, failedWhile(exit, state)
	}
	return noQuestion, site.Judge(fmt.Errorf("starting the job's container: %w", exit), e.place, "see podman's output above")
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
		// Only after the container's end is it known whether the kernel has killed something.
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
		Hint: fmt.Sprintf("`%s start %s` may say more; see also start_per_step in the policy", e.podman, e.container),
	}
}

// stopped handles a container that ended in the middle of a step: by itself, or because
// somebody stopped it, who may just be removing it.
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
	return noQuestion, removedOr(e.looks[0], &driver.Fault{Err: err, Hint: "it was stopped from outside, for example by a shutdown"})
}

func hasEnded(s podman.State) bool { return s.Status == "exited" || s.Status == "stopped" }

// lost returns the fault if the connection to a podman service broke while a step ran.
func lost(err error) error {
	return &driver.Fault{
		Err:  fmt.Errorf("the connection to the podman service broke while the step ran: %w", err),
		Hint: "check whether the service's host, or podman on it, was stopped or restarted",
	}
}

// gone returns the fault if a container was removed while the job ran.
func gone(err error) error {
	return &driver.Fault{
		Err:  fmt.Errorf("the job's container is gone: %w", err),
		Hint: "it was removed from outside while the job ran, for example by `podman system prune`",
	}
}

// failedWhile returns the fault if podman failed, or was killed, while the step ran.
func failedWhile(exit error, state podman.State) error {
	return &driver.Fault{Err: fmt.Errorf("running the step: %w; the container is %s", exit, state.Status), Hint: "see podman's output above"}
}
