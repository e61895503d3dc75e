package podman

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// Streams are what a container's process is attached to. Standard output and
// error that are files are handed on as they are, without a copy.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// stopPause is how long Start waits between two tries to signal a container
// that is not up yet.
const stopPause = 200 * time.Millisecond

// Start starts a container that was made by [Podman.Create], attaches to it and
// waits for its end. A process that ends with a code other than 0, and podman's
// own failures, come back as an *[ExitError]: for the codes that can be either,
// ask [Podman.State].
//
// When ctx ends, every process in the container gets SIGTERM, and SIGKILL after
// the grace period. The container itself stays.
func (p *Podman) Start(ctx context.Context, name string, s Streams, grace time.Duration) error {
	args := []string{"start", "--attach", "--interactive", "--sig-proxy=false", "--", name}
	started := time.Now()
	cmd := p.command(context.WithoutCancel(ctx), args)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Stdin, s.Stdout, s.Stderr
	if err := cmd.Start(); err != nil {
		return p.ended(err, args, &tail{})
	}
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-done:
		case <-ctx.Done():
			p.stop(context.WithoutCancel(ctx), cmd, name, grace, done)
		}
	}()
	err := p.ended(ignoreStdin(cmd.Wait()), args, &tail{})
	close(done)
	<-stopped
	p.observe(args, started, err)
	return err
}

// ignoreStdin drops the error of a process that ended before it had read all
// of its input; its exit code says more.
func ignoreStdin(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// stop ends what runs in a container until done is closed: SIGTERM to all of
// its processes, SIGKILL to the first after the grace period, and at last the
// end of the podman client, should it hang.
func (p *Podman) stop(ctx context.Context, client *exec.Cmd, name string, grace time.Duration, done <-chan struct{}) {
	graceOver := time.After(grace)
	for {
		bounded, cancel := context.WithTimeout(ctx, grace)
		err := p.terminate(bounded, name)
		cancel()
		if err == nil {
			break
		}
		// The container may not be up yet; a step that has just ended is done.
		select {
		case <-done:
			return
		case <-graceOver:
			p.kill(ctx, client, name, done)
			return
		case <-time.After(stopPause):
		}
	}
	select {
	case <-done:
	case <-graceOver:
		p.kill(ctx, client, name, done)
	}
}

// terminate sends SIGTERM to all processes of a container but its first, which
// ends when they do. `podman stop` would signal the first only: a shell that
// waits for its child does not pass it on, and the first process of a container
// ignores signals that it has no handler for.
func (p *Podman) terminate(ctx context.Context, name string) error {
	_, err := p.Output(ctx, "exec", "--user", "0:0", "--", name, "sh", "-c", "kill -s TERM -- -1")
	return err
}

func (p *Podman) kill(ctx context.Context, client *exec.Cmd, name string, done <-chan struct{}) {
	bounded, cancel := context.WithTimeout(ctx, waitDelay)
	defer cancel()
	_, _ = p.Output(bounded, "kill", "--signal", "KILL", "--", name)
	select {
	case <-done:
	case <-time.After(waitDelay):
		_ = syscall.Kill(-client.Process.Pid, syscall.SIGKILL)
	}
}
