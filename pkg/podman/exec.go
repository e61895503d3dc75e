package podman

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"podman-executor/internal/process"
)

// Exit codes of podman itself (podman-run(1), EXIT STATUS). A container's
// process can end with the same: see [State].
const (
	ExitPodman        = 125
	ExitNotExecutable = 126
	ExitNotFound      = 127
	ExitKilled        = 137
)

// ExitError is a podman command that ended with an exit code other than 0.
type ExitError struct {
	// Verb is the command, such as "image pull".
	Verb string
	// Code is the exit code, or -1 if a signal ended podman.
	Code int
	// Stderr is the end of what podman said, without "Error: ".
	Stderr string
	// begin is the beginning of a longer message: that may quote an image's configuration.
	begin string
	// retried reports whether podman itself has already retried.
	retried bool
}

// Error returns the verb, the exit code and what podman said, but never the command line.
func (e *ExitError) Error() string {
	switch {
	case e.Code == -1 && e.Stderr == "":
		return fmt.Sprintf("podman %s: ended by a signal", e.Verb)
	case e.Code == -1:
		return fmt.Sprintf("podman %s: ended by a signal: %s", e.Verb, e.Stderr)
	case e.Stderr == "":
		return fmt.Sprintf("podman %s: exit status %d", e.Verb, e.Code)
	}
	return fmt.Sprintf("podman %s: exit status %d: %s", e.Verb, e.Code, e.Stderr)
}

// Output runs a podman command and returns its standard output; with an error, what the command
// wrote before it failed. Output beyond the limit is an error, and none of it is returned.
// podman gets SIGTERM when ctx ends, or when the command exceeds its own limit, see [Timeouts]:
// then the error is a *[TimeoutError]. A command that finds podman's database locked is
// retried.
func (p *Podman) Output(ctx context.Context, args ...string) ([]byte, error) {
	return p.outputOf(ctx, streams{}, args...)
}

// streams are what a command reads and says.
type streams struct {
	// stdin is its standard input, a pipe, as podman requires for a secret; nil: empty.
	stdin  []byte
	stdout io.Writer
	// said, if not nil, is called with each line of standard error. Those for which it returns
	// true are no part of an error.
	said func(line string) bool
	// used, if not nil, is called with what the command has used.
	used func(*syscall.Rusage)
}

// outputOf is Output with other streams than standard output.
func (p *Podman) outputOf(ctx context.Context, s streams, args ...string) ([]byte, error) {
	return unlessLocked(ctx, func() ([]byte, error) {
		var stdout bounded
		s.stdout = &stdout
		err := p.run(ctx, args, s)
		if err == nil && stdout.cut {
			return nil, fmt.Errorf("podman %s: more than %d MiB of output", verb(args), maxOutput>>20)
		}
		return stdout.buffer.Bytes(), err
	})
}

// run runs a podman command, and once more if podman had lost its pause process: it had then written
// nothing to standard output.
func (p *Podman) run(ctx context.Context, args []string, s streams) error {
	err := p.once(ctx, args, s)
	if p.URL == "" && pauseGone(err) && p.renewPause(ctx) == nil {
		err = p.once(ctx, args, s)
	}
	return err
}

func (p *Podman) once(ctx context.Context, args []string, s streams) error {
	var stderr tail
	ctx, cancel := p.bound(ctx, args)
	defer cancel()
	cmd := p.command(ctx, args)
	said := &sieve{to: &stderr, takes: s.said}
	cmd.Stdout, cmd.Stderr = s.stdout, said
	if s.stdin != nil {
		cmd.Stdin = bytes.NewReader(s.stdin)
	}
	started := time.Now()
	err := process.Run(cmd)
	said.end()
	if s.used != nil && cmd.ProcessState != nil {
		s.used(cmd.ProcessState.SysUsage().(*syscall.Rusage))
	}
	err = p.ended(err, args, &stderr)
	var late *TimeoutError
	if err != nil && errors.As(context.Cause(ctx), &late) {
		err = late
	}
	p.observe(args, started, err)
	return err
}

// errOwnSSH is the error for an address that podman would connect to with its own ssh client,
// which trusts any unknown host.
var errOwnSSH = errors.New("podman's own ssh client is not used")

// command prepares a podman command. It runs in `/`, since the caller's own directory may not
// exist in the mount namespace that rootless podman joins, and with an empty standard input. It
// gets its own process group, see [process.Run] and [process.Start].
func (p *Podman) command(ctx context.Context, args []string) *exec.Cmd {
	if p.URL != "" {
		args = append([]string{"--url", p.URL}, args...)
	}
	cmd := exec.CommandContext(ctx, p.Program, args...)
	cmd.Dir = "/"
	// Never nil: os/exec would pass the caller's own environment on.
	cmd.Env = append([]string{}, p.Env...)
	if strings.HasPrefix(p.URL, "ssh://") {
		cmd.Err = errOwnSSH
	}
	return cmd
}

// ended turns the error of a finished exec.Cmd into an *ExitError if the command exited.
func (p *Podman) ended(err error, args []string, stderr *tail) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &ExitError{Verb: verb(args), Code: exit.ExitCode(), Stderr: stderr.message(), begin: stderr.begin(), retried: stderr.retried()}
	default:
		return fmt.Errorf("running podman %s: %w", verb(args), err)
	}
}

func (p *Podman) observe(args []string, started time.Time, err error) {
	if p.Observe != nil {
		p.Observe(Command{Args: args, Duration: time.Since(started), Err: err})
	}
}

// verb returns the words of a command line up to the first option or name:
// "image pull" of "image pull …".
func verb(args []string) string {
	if len(args) == 0 {
		return ""
	}
	switch args[0] {
	case "image", "container", "volume", "network", "secret", "system":
		if len(args) > 1 {
			return args[0] + " " + args[1]
		}
	}
	return args[0]
}

// All podman processes share one database. On a slow disk it can be locked for longer than a
// process waits, so a retry may succeed.
const (
	lockedTries = 4
	lockedPause = 250 * time.Millisecond
)

// unlessLocked retries a few times while podman's database is locked. Each wait is twice the
// one before, plus up to half at random.
func unlessLocked(ctx context.Context, try func() ([]byte, error)) ([]byte, error) {
	for n, wait := 1, lockedPause; ; n, wait = n+1, 2*wait {
		out, err := try()
		if n == lockedTries || !Locked(err) {
			return out, err
		}
		select {
		case <-ctx.Done():
			return out, err
		case <-time.After(wait + rand.N(wait/2)):
		}
	}
}
