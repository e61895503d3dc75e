package handover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"podman-executor/pkg/podman"
)

// Container is a container of [podman.Create] that stays, with the command of
// step.StayingCommand.
type Container struct {
	Podman *podman.Podman
	Name   string
	// Dir is the directory of [Make].
	Dir string
	// Grace is how long a step may take to end when it was told to.
	Grace time.Duration
}

// Times until a container that was started waits for steps: firstLook is what that
// usually takes less than, and how long podman is not asked; upTime is the longest. Each
// time that podman is not asked is twice as long as the one before, up to longestLook:
// a job that never takes a step costs few commands. upPause is the shortest time between
// two looks at the pipes, a fiftieth of the time in which podman is not asked.
const (
	firstLook   = 100 * time.Millisecond
	longestLook = 2 * time.Second
	upTime      = 20 * time.Second
	upPause     = 2 * time.Millisecond
)

// longer is the time that podman is not asked, after another one.
func longer(look time.Duration) time.Duration { return min(2*look, longestLook) }

// ExitError is a step that ended with a code other than 0.
type ExitError struct{ Code int }

// Error returns the code.
func (e *ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Code) }

// Run runs a step, see [Step]. A container that has ended, as it does where a step was
// killed, is started again. The errors are *[ExitError], [ErrEnded], that of ctx, and
// what podman says.
func (c Container) Run(ctx context.Context, s podman.Streams) error {
	if err := c.up(ctx); err != nil {
		return err
	}
	step := Step{Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr, Grace: c.Grace, Kill: func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), killDelay)
		defer cancel()
		// What it cannot kill, cleanup removes.
		_ = c.Podman.Kill(bounded, c.Name)
	}}
	code, err := Run(ctx, c.Dir, step)
	if errors.Is(err, ErrNobody) {
		return ErrEnded
	}
	if err == nil && code != 0 {
		return &ExitError{Code: code}
	}
	return err
}

// up sees that the container waits for a step.
func (c Container) up(ctx context.Context) error {
	started := false
	look := firstLook
	for deadline := time.Now().Add(upTime); !c.waits(ctx, look); look = longer(look) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		state, err := c.Podman.State(ctx, c.Name)
		switch {
		case err != nil:
			return err
		case state.Status == "running" && time.Now().Before(deadline):
		case state.Status == "running":
			return fmt.Errorf("%w: it is running, but has taken none for %s", ErrNobody, upTime)
		case started:
			return fmt.Errorf("%w: it exited with code %d", ErrNobody, state.ExitCode)
		default:
			if err := c.Podman.StartDetached(ctx, c.Name); err != nil {
				return err
			}
			started, look = true, firstLook/2
		}
	}
	return nil
}

// waits tells whether the container waits for a step, now or soon.
func (c Container) waits(ctx context.Context, limit time.Duration) bool {
	for deadline := time.Now().Add(limit); ; {
		if there, err := find(c.Dir); err == nil {
			there.Close()
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(max(limit/50, upPause)):
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// End ends the container, and returns what podman knows of its run. It can be started
// again.
func (c Container) End(ctx context.Context) (podman.State, error) {
	// One that is just ending cannot be killed.
	killErr := c.Podman.Kill(ctx, c.Name)
	look := firstLook
	for deadline := time.Now().Add(killDelay); ; look = longer(look) {
		state, err := c.Podman.State(ctx, c.Name)
		switch {
		case err != nil || state.Status == "exited":
			return state, err
		case time.Now().After(deadline):
			return state, errors.Join(fmt.Errorf("the container is still %s", state.Status), killErr)
		}
		select {
		case <-ctx.Done():
			return state, ctx.Err()
		case <-time.After(look):
		}
	}
}
