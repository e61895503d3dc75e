package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/plan"
	"podman-executor/internal/site"
	"podman-executor/pkg/podman"
)

// ended is a step in a container, for what has become of it.
type ended struct {
	podman *podman.Podman
	plan   plan.Plan
	// dir is the directory of the attempt at the job.
	dir       string
	container string
}

// outcome tells a script that ended with a code from podman that failed.
// podman uses 125 to 127 for itself, and 137 is also what a container that was
// killed or removed ends with: for those, the container's state decides. It is that
// of an earlier step where podman could not start the container for this one
// (4.3.1). Its times are compared with no clock of this program's: they are of
// another one with a podman service, and a clock may be set while a step runs. With a
// limit of memory it is asked for other codes, too: make and kin end with a code
// of their own where the kernel has killed what they ran.
func (e ended) outcome(ctx context.Context, err error) error {
	var exit *podman.ExitError
	if err == nil && e.podman.URL != "" {
		return e.surelyPassed(ctx)
	}
	if !errors.As(err, &exit) {
		return err
	}
	script := &driver.ScriptError{Code: exit.Code}
	doubtful := false
	switch exit.Code {
	case podman.ExitPodman, podman.ExitNotExecutable, podman.ExitNotFound, podman.ExitKilled, -1:
		doubtful = true
	}
	limit, limited := e.plan.Memory[e.container]
	if !doubtful && !limited {
		return script
	}
	state, stateErr := e.podman.State(ctx, e.container)
	switch {
	case !doubtful && (stateErr != nil || !state.OOMKilled):
		return script
	case podman.NoSuchContainer(stateErr):
		return gone(stateErr)
	case stateErr != nil:
		return &driver.Fault{
			Err:  fmt.Errorf("podman start ended with exit status %d, and whether that is the script's is not known: %w", exit.Code, stateErr),
			Hint: "run `podman ps --all` as the user that gitlab-runner runs as",
		}
	}
	ran := !doubtful
	if doubtful && hasEnded(state) && state.ExitCode == exit.Code {
		if ran, err = e.isAnotherRun(state.StartedAt); err != nil {
			return err
		}
	}
	switch {
	case ran && state.OOMKilled:
		script.Cause = e.outOfMemory(limit)
		return script
	case ran && exit.Code == podman.ExitKilled:
		return e.killed(ctx, script)
	case ran:
		return script
	case exit.Code == -1 || state.Status == "running":
		return failedWhile(exit, state)
	default:
		return e.notStarted(ctx, exit, state)
	}
}

// surelyPassed proves that a script ended with 0 where a podman service ran it:
// `podman start --attach` ends with 0, too, when the connection to the service breaks
// (4.3.1), while the container may run on.
func (e ended) surelyPassed(ctx context.Context) error {
	for look := 0; ; look++ {
		state, err := e.podman.State(ctx, e.container)
		switch {
		case podman.NoSuchContainer(err):
			return gone(err)
		case err != nil:
			return lost(err)
		case hasEnded(state):
			return e.passed(state)
		case look == runningLooks:
			return lost(fmt.Errorf("the container is %s", state.Status))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(secondLook):
		}
	}
}

// runningLooks is how often more surelyPassed looks at a container that has not ended:
// podman may just be noting its end.
const runningLooks = 2

// passed is a container that has ended, for a client that ended with 0.
func (e ended) passed(state podman.State) error {
	ran, err := e.isAnotherRun(state.StartedAt)
	switch {
	case err != nil:
		return err
	case !ran:
		return lost(errors.New("the container did not run"))
	case state.ExitCode != 0:
		return lost(fmt.Errorf("the container has ended with %d", state.ExitCode))
	}
	return nil
}

// lost is a connection to a podman service that broke while a step ran.
func lost(err error) error {
	return &driver.Fault{
		Err:  fmt.Errorf("the connection to the podman service broke while the step ran: %w", err),
		Hint: "see whether the host of the service, and podman on it, have ended or were started anew",
	}
}

// secondLook is how long after its end a killed container is looked at again.
const secondLook = time.Second

// killed tells a script that was killed from a container that somebody is just
// removing, with force: it is killed first, and is there for a moment longer.
func (e ended) killed(ctx context.Context, script *driver.ScriptError) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(secondLook):
	}
	state, err := e.podman.State(ctx, e.container)
	switch {
	case podman.NoSuchContainer(err):
		return gone(err)
	case err == nil && state.Status == "removing":
		return gone(errors.New("it is being removed"))
	}
	return script
}

func gone(err error) error {
	return &driver.Fault{
		Err:  fmt.Errorf("the job's container is gone: %w", err),
		Hint: "somebody, or something such as `podman system prune`, has removed it while the job ran",
	}
}

func hasEnded(s podman.State) bool { return s.Status == "exited" || s.Status == "stopped" }

// isAnotherRun tells whether the run of the container that has begun at a time is
// not the one that an earlier step of this job ended in, with one of the doubtful
// codes; and keeps the time, for the steps to come.
func (e ended) isAnotherRun(startedAt time.Time) (bool, error) {
	name := filepath.Join(e.dir, "podman-executor-run-"+e.container)
	last, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("reading when the container last ran: %w", err)
	}
	now := startedAt.UTC().Format(time.RFC3339Nano)
	if string(last) == now {
		return false, nil
	}
	if err := os.WriteFile(name, []byte(now), 0o600); err != nil {
		return false, fmt.Errorf("keeping when the container ran: %w", err)
	}
	return true, nil
}

// failedWhile is a podman that failed while the step ran, or was killed.
func failedWhile(exit error, state podman.State) error {
	return &driver.Fault{Err: fmt.Errorf("running the step: %w; the container is %s", exit, state.Status), Hint: "see what podman says above"}
}

// outOfMemory names a kill by the kernel for want of memory: conmon has seen it in
// the cgroup's memory.events (conmon src/cgroup.c), whichever process it was, the
// script's shell or a child of it. podman 4.3.1 never forgets it of a container
// (libpod/container_internal.go:216), so it is said of one step only.
func (e ended) outOfMemory(limit plan.Memory) error {
	mark, err := os.OpenFile(filepath.Join(e.dir, "podman-executor-oom-"+e.container), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil
	}
	_ = mark.Close()
	if limit.Limit == "" {
		return &driver.Refusal{
			Err:  errors.New("out of memory: the kernel has killed a process of the script"),
			Hint: "use less memory; the limit is one of the machine, or of custom_options in the policy of this runner",
		}
	}
	return &driver.Refusal{
		Err:  fmt.Errorf("out of memory: the script used more than its limit of %s, and the kernel has killed a process of it", limit.Limit),
		Hint: limit.More,
	}
}

// notStarted tells an image without a shell from a podman that cannot start
// containers. What podman said has gone to the job log; asked once more to make
// the container ready, it says the same again. Where it says nothing now, a
// container that has run before may have run in this step, too.
func (e ended) notStarted(ctx context.Context, exit error, state podman.State) error {
	if err := e.podman.Init(ctx, e.container); err != nil {
		exit = err
	} else if hasEnded(state) {
		return failedWhile(exit, state)
	}
	err := fmt.Errorf("starting the job's container: %w", exit)
	if podman.NoSuchProgram(exit) {
		return &driver.Refusal{Err: err, Hint: site.NoShellHint}
	}
	if podman.NoSuchCDIDevice(exit) {
		return &driver.Fault{Err: err, Hint: site.NoCDIDeviceHint}
	}
	return &driver.Fault{Err: err, Hint: "see what podman says above"}
}
