// Package process starts programs in their own process groups, and ends them with everything
// that they have started.
//
// # Groups
//
// Each program leads its own process group (setpgid(2)), for two reasons. A signal to this
// program's group, such as a terminal's Ctrl-C, does not reach it: this program decides
// whether and how it ends. And a signal to its group reaches what it has started: rootless
// podman is two processes, and the one that works is not the one that was started.
//
// # Ending
//
// A program gets SIGTERM first, so it can tidy up: podman has locks and half-made containers.
// What has not ended [Grace] later gets SIGKILL. [Run] does this for a program that has no
// other way to be stopped; [Group.Wait] takes the steps from its caller.
//
// # Pipes
//
// Where a program's output is not a file, os/exec copies it from a pipe, and waits until
// everybody who can write to the pipe has closed it. A process that has left the group may
// never do so, such as conmon, which podman starts for a container. [WaitDelay] bounds this.
package process

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"time"
)

const (
	// Grace is the time between SIGTERM and SIGKILL.
	Grace = 4 * time.Second
	// WaitDelay is how long to wait for the output of a program that has ended, or was told to.
	// It is longer than Grace: when it is over, os/exec kills the program itself, which would
	// leave the rest of its group.
	WaitDelay = 5 * time.Second
)

// OwnGroup makes a program that is not started yet the leader of a process group of its
// own, and sets cmd.WaitDelay to [WaitDelay] unless it has one.
func OwnGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = WaitDelay
	}
}

// Run runs a program that [exec.CommandContext] has prepared, in a group of its own. When
// its context ends, the group gets SIGTERM, and SIGKILL [Grace] later. The errors are those
// of [exec.Cmd.Run], but for [exec.ErrWaitDelay]: the program itself has ended with 0 then.
func Run(cmd *exec.Cmd) error {
	OwnGroup(cmd)
	var kill *time.Timer
	cmd.Cancel = func() error {
		kill = time.AfterFunc(Grace, func() { _ = signal(cmd, syscall.SIGKILL) })
		return signal(cmd, syscall.SIGTERM)
	}
	err := cmd.Run()
	if kill != nil {
		kill.Stop()
	}
	return withoutWaitDelay(err)
}

// Group is a program that runs, with the process group that it leads.
type Group struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start starts a program in a group of its own. [Group.Wait] has to be called then.
func Start(cmd *exec.Cmd) (*Group, error) {
	OwnGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Group{cmd: cmd, ended: make(chan struct{})}, nil
}

// Terminate sends SIGTERM to the group.
func (g *Group) Terminate() { _ = signal(g.cmd, syscall.SIGTERM) }

// Kill sends SIGKILL to the group: also to what is left of it when the program has ended.
func (g *Group) Kill() { _ = signal(g.cmd, syscall.SIGKILL) }

// Ended is closed when the program has ended, and its output is complete.
func (g *Group) Ended() <-chan struct{} { return g.ended }

// Stop is one step to end a program: Do is called when the program still runs that long
// after the step before, or after the end of the context for the first one.
type Stop struct {
	After time.Duration
	Do    func()
}

// Wait waits for the end of the program. When ctx ends, it takes one step after the other
// until that is enough. The errors are those of [exec.Cmd.Wait], but for
// [exec.ErrWaitDelay]: the program itself has ended with 0 then.
func (g *Group) Wait(ctx context.Context, steps ...Stop) error {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		g.stop(ctx, steps)
	}()
	err := g.cmd.Wait()
	close(g.ended)
	<-stopped
	return withoutWaitDelay(err)
}

func (g *Group) stop(ctx context.Context, steps []Stop) {
	select {
	case <-g.ended:
		return
	case <-ctx.Done():
	}
	for _, step := range steps {
		select {
		case <-g.ended:
			return
		case <-time.After(step.After):
			step.Do()
		}
	}
}

// signal sends a signal to the group that a program leads.
func signal(cmd *exec.Cmd, s syscall.Signal) error { return syscall.Kill(-cmd.Process.Pid, s) }

// withoutWaitDelay drops exec.ErrWaitDelay: the program has ended with 0, and only something
// that it left behind kept the pipe open.
func withoutWaitDelay(err error) error {
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}
