package handover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"podman-executor/pkg/podman"
)

// Container is a container that stays: one of [podman.Create] with the command of [Command].
type Container struct {
	Podman *podman.Podman
	Name   string
	// Dir is the directory of [Make].
	Dir string
	// Grace is how long a step may take to end after it was told to stop.
	Grace time.Duration
}

// A container that was started usually waits for steps within firstLook; only after that is
// podman asked about it. The time until podman is asked again doubles, up to longestLook, so a
// container that never takes a step costs few commands. After upTime it counts as failed.
// Meanwhile the pipes are looked at fifty times between two questions to podman, but not more
// often than every upPause.
const (
	firstLook   = 100 * time.Millisecond
	longestLook = 2 * time.Second
	upTime      = 20 * time.Second
	upPause     = 2 * time.Millisecond
)

// longer returns the next time until podman is asked again.
func longer(look time.Duration) time.Duration { return min(2*look, longestLook) }

// StepError is a step that ended with a code other than 0.
type StepError struct{ Code int }

// Error returns the code.
func (e *StepError) Error() string { return fmt.Sprintf("exit status %d", e.Code) }

// Run runs a step, see [Step]. If the container has ended, as it does when a step is killed,
// it is started again. The errors are *[StepError], [ErrEnded], that of ctx, and podman's.
func (c Container) Run(ctx context.Context, s podman.Streams) error {
	if err := c.up(ctx); err != nil {
		return err
	}
	step := Step{Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr, Grace: c.Grace, Kill: func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), killDelay)
		defer cancel()
		// If this fails, cleanup removes the container.
		_ = c.Podman.Kill(bounded, c.Name)
	}}
	code, err := Run(ctx, c.Dir, step)
	if errors.Is(err, ErrNobody) {
		return ErrEnded
	}
	if err == nil && code != 0 {
		return &StepError{Code: code}
	}
	return err
}

// up starts the container if it has ended, and returns when it waits for a step.
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
			return fmt.Errorf("%w: it runs, and has taken none for %s", ErrNobody, upTime)
		case started:
			return fmt.Errorf("%w: it has ended with exit code %d", ErrNobody, state.ExitCode)
		default:
			if err := c.Podman.StartDetached(ctx, c.Name); err != nil {
				return err
			}
			started, look = true, firstLook/2
		}
	}
	return nil
}

// waits reports whether the container waits for a step, now or within a time.
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

// End ends the container, and returns podman's state of it. It can be started again.
func (c Container) End(ctx context.Context) (podman.State, error) {
	// This fails for a container that is about to end.
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
