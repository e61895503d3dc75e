package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"

	"podman-executor/internal/process"
	"podman-executor/pkg/podman"
)

// Attached runs the step with a launcher that passes standard input and output on, and ends
// when its command ends.
//
// When ctx ends, so does the container's standard input, which tells the script to stop. If
// that is not enough, as when the command still waits for a machine, the launcher gets
// SIGTERM. It also gets it when this program dies.
func (l Launcher) Attached(ctx context.Context, s podman.Streams) (Outcome, error) {
	if err := l.forget(); err != nil {
		return Outcome{}, err
	}
	stdin, feed, err := os.Pipe()
	if err != nil {
		return Outcome{}, fmt.Errorf("running the launcher: %w", err)
	}
	defer feed.Close()
	// Pdeathsig is sent when the parent's thread dies, so this thread must live as long as the
	// launcher.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	said := &tail{}
	cmd := exec.Command(l.Program, slices.Concat(l.Words, l.Podman)...)
	cmd.Dir, cmd.Env = l.Dir, append([]string{}, l.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, s.Stdout, io.MultiWriter(s.Stderr, said)
	cmd.WaitDelay = launcherGrace
	group, err := process.Start(cmd)
	_ = stdin.Close()
	if err != nil {
		return Outcome{}, fmt.Errorf("running the launcher: %w", err)
	}
	// It is not an error if a container ends before it has read everything.
	go func() { _, _ = io.Copy(feed, s.Stdin) }()
	err = group.Wait(ctx,
		process.Stop{Do: func() { _ = feed.Close() }},
		process.Stop{After: l.Grace + extraGrace, Do: group.Terminate},
		process.Stop{After: launcherGrace, Do: group.Kill})
	if ctx.Err() != nil {
		return Outcome{}, ctx.Err()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Outcome{}, fmt.Errorf("running the launcher: %w", err)
	}
	return l.report(cmd.ProcessState.ExitCode(), string(said.text))
}
