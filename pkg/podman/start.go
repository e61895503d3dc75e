package podman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"podman-executor/internal/process"
)

// Streams are what a container's process is attached to. If standard output and error are
// files, they are passed on as they are, without copying.
type Streams struct {
	// Stdin is read to its end; the container's standard input stays open
	// after that, until the container ends or is told to stop.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// detachKeys make podman detach from the container and exit with 0. podman looks for them even
// without a terminal, in reads of one byte each. Its default is a sequence of two keys, and its
// service does not accept an empty one.
const detachKeys = "ctrl-^,ctrl-_,ctrl-^,ctrl-_"

// Start starts a container that was made by [Podman.Create], attaches to it and waits for its
// end. A process that ends with a code other than 0, and podman's own failures, are an
// *[ExitError]. Some codes can mean either: [Podman.State] tells them apart.
//
// When ctx ends, the container's standard input ends, which tells its process to stop. (Signals
// are no alternative: podman sends them only to the first process, a shell that waits for its
// child; and `podman exec` is slow, and leaves a process behind with a podman service.) After
// the grace period the process gets SIGKILL. The container itself stays.
//
// The same happens, with a *[TimeoutError], if podman hangs before the container runs, see
// [Timeouts.Command].
func (p *Podman) Start(ctx context.Context, name string, s Streams, grace time.Duration) error {
	args := []string{"start", "--attach", "--interactive", "--detach-keys", detachKeys, "--sig-proxy=false", "--", name}
	stdin, feed, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("running podman start: %w", err)
	}
	defer feed.Close()
	started := time.Now()
	cmd := p.command(context.WithoutCancel(ctx), args)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, s.Stdout, s.Stderr
	group, err := process.Start(cmd)
	_ = stdin.Close()
	if err != nil {
		return p.ended(err, args, &tail{})
	}
	// It is not an error if a container ends before it has read everything.
	go func() { _, _ = io.Copy(feed, s.Stdin) }()
	ctx, end := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		p.watch(ctx, name, end)
	}()
	err = group.Wait(ctx,
		process.Stop{Do: func() { _ = feed.Close() }},
		process.Stop{After: grace, Do: func() { p.killUntil(context.WithoutCancel(ctx), name, group.Ended()) }},
		process.Stop{Do: group.Kill}) // podman itself may hang
	err = p.ended(err, args, &tail{})
	end(nil)
	<-watched
	var late *TimeoutError
	if err != nil && errors.As(context.Cause(ctx), &late) {
		err = fmt.Errorf("the container did not start: %w", late)
	}
	p.observe(args, started, err)
	return err
}

// watchLooks is how often a container must be found not running, or its state be unknown,
// before `podman start` counts as hanging.
const watchLooks = 2

// watch ends a context if `podman start` hangs before the container runs. Once the container
// was seen running, watch returns: the job's timeout limits the rest.
func (p *Podman) watch(ctx context.Context, name string, end context.CancelCauseFunc) {
	limit := p.Timeouts.Command
	if limit == 0 {
		return
	}
	for range watchLooks {
		select {
		case <-ctx.Done():
			return
		case <-time.After(limit):
		}
		state, err := p.State(ctx, name)
		if err == nil && (state.Status == "running" || state.Status == "paused" || state.Status == "stopping") {
			return
		}
	}
	end(&TimeoutError{Verb: "start", Limit: watchLooks * limit})
}

const (
	// killTime is how long a container may take to end after SIGKILL.
	killTime = 5 * time.Second
	// killPause is the time between two attempts to kill a container that is not up yet.
	killPause = 200 * time.Millisecond
)

// killUntil kills a container, repeatedly, until the podman that is attached to it has ended,
// for killTime at most.
func (p *Podman) killUntil(ctx context.Context, name string, ended <-chan struct{}) {
	bounded, cancel := context.WithTimeout(ctx, killTime)
	defer cancel()
	for bounded.Err() == nil {
		err := p.Kill(bounded, name)
		wait := killPause
		if err == nil {
			wait = killTime
		}
		select {
		case <-ended:
			return
		case <-time.After(wait):
		}
	}
}

// Kill sends SIGKILL to a container's first process. It is an error if the container does not
// run.
func (p *Podman) Kill(ctx context.Context, name string) error {
	_, err := p.Output(ctx, "kill", "--signal", "KILL", "--", name)
	return err
}

// Init prepares a container without starting it. Whatever would keep podman from starting it is
// returned as an error.
func (p *Podman) Init(ctx context.Context, name string) error {
	_, err := p.Output(ctx, "init", "--", name)
	return err
}

// StartDetached starts a container and does not wait for its end.
func (p *Podman) StartDetached(ctx context.Context, name string) error {
	_, err := p.Output(ctx, "start", "--", name)
	return err
}
