package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/handover"
	"podman-executor/pkg/podman"
)

// handOver runs a step in a container that stays for the whole job.
func (e ended) handOver(ctx context.Context, dir string, s podman.Streams) error {
	c := handover.Container{Podman: e.podman, Name: e.container, Dir: dir, Grace: e.plan.Grace}
	err := c.Run(ctx, s)
	var exit *handover.StepError
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case errors.As(err, &exit):
		return e.exited(ctx, c, exit.Code)
	case podman.NoSuchContainer(err):
		return gone(err)
	case errors.Is(err, handover.ErrEnded):
		return e.endedWhile(ctx, err)
	default:
		return &driver.Fault{Err: fmt.Errorf("handing a step to the container: %w", err), Hint: fmt.Sprintf("`%s start %s` may say more; see start_per_step of the policy, too", e.podman.Program, e.container)}
	}
}

// exited is a step that ended with a code. Whether the kernel has killed something for
// want of memory is not known before the container's end.
func (e ended) exited(ctx context.Context, c handover.Container, code int) error {
	script := &driver.ScriptError{Code: code}
	limit, limited := e.plan.Memory[e.container]
	if !limited {
		return script
	}
	if state, err := c.End(ctx); err == nil && state.OOMKilled {
		script.Cause = e.outOfMemory(limit)
	}
	return script
}

// endedWhile is a container that ended in the middle of a step, by itself or by
// somebody else, who may just be removing it.
func (e ended) endedWhile(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(secondLook):
	}
	state, stateErr := e.podman.State(ctx, e.container)
	switch {
	case podman.NoSuchContainer(stateErr):
		return gone(stateErr)
	case stateErr != nil:
		err = errors.Join(err, stateErr)
	case state.Status == "removing":
		return gone(errors.New("it is being removed"))
	case state.OOMKilled:
		return &driver.ScriptError{Code: podman.ExitKilled, Cause: e.outOfMemory(e.plan.Memory[e.container])}
	default:
		err = fmt.Errorf("%w, with exit code %d", err, state.ExitCode)
	}
	return &driver.Fault{Err: err, Hint: "somebody, or something such as a shutdown of the machine, has ended it"}
}
