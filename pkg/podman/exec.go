package podman

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"podman-executor/internal/process"
)

const (
	// maxOutput bounds what is kept of a command's standard output, in bytes.
	maxOutput = 16 << 20
	// maxStderr bounds what is kept of a command's standard error, in bytes:
	// its end, where podman says what went wrong.
	maxStderr = 4 << 10
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
	// begin is its beginning, if it is longer: it may quote the configuration of an image.
	begin string
	// retried reports whether podman has already retried several times by itself.
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

// Output runs a podman command and returns its standard output; with an error, that is what
// the command wrote before it failed. If there is more output than is kept, it returns none.
// podman gets SIGTERM when ctx ends, and also when the command takes too long, see
// [Timeouts]: then the error is a *[TimeoutError]. A command that finds podman's database
// locked is tried again.
func (p *Podman) Output(ctx context.Context, args ...string) ([]byte, error) {
	return p.outputOf(ctx, nil, args...)
}

// outputOf is Output with a standard input, where it is not nil: a pipe, which is what
// podman wants for a secret.
func (p *Podman) outputOf(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	return unlessLocked(ctx, func() ([]byte, error) {
		var stdout bounded
		err := p.once(ctx, args, stdin, &stdout)
		if err == nil && stdout.cut {
			return nil, fmt.Errorf("podman %s: more than %d MiB of output", verb(args), maxOutput>>20)
		}
		return stdout.buffer.Bytes(), err
	})
}

func (p *Podman) once(ctx context.Context, args []string, stdin []byte, stdout io.Writer) error {
	var stderr tail
	ctx, cancel := p.bound(ctx, args)
	defer cancel()
	cmd := p.command(ctx, args)
	cmd.Stdout, cmd.Stderr = stdout, &stderr
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	started := time.Now()
	err := p.ended(process.Run(cmd), args, &stderr)
	var late *TimeoutError
	if err != nil && errors.As(context.Cause(ctx), &late) {
		err = late
	}
	p.observe(args, started, err)
	return err
}

// errOwnSSH is the error of an address that podman would connect to by itself: its own
// client trusts any unknown host.
var errOwnSSH = errors.New("podman's own ssh client is not used")

// command prepares a podman command: in `/`, since the caller's own directory
// may not exist in the mount namespace that rootless podman joins; with an empty
// standard input. It is run in its own process group, see [process.Run] and
// [process.Start].
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
// "image pull" of "image pull --quiet …".
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

// bounded keeps the first maxOutput bytes written to it.
type bounded struct {
	buffer bytes.Buffer
	cut    bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := maxOutput - b.buffer.Len()
	if len(p) > room {
		b.cut = true
		b.buffer.Write(p[:room])
		return len(p), nil
	}
	b.buffer.Write(p)
	return len(p), nil
}

// tail keeps the last maxStderr bytes written to it, and the first maxHead.
type tail struct{ buffer, head []byte }

// maxHead bounds what is kept of the beginning of a command's standard error, in
// bytes: where a podman that crashes says why, before its stacks and registers.
const maxHead = 1 << 10

// crashes are how Go's runtime begins that line (runtime/panic.go,
// runtime/cgo/gcc_util.c).
var crashes = []string{"panic: ", "fatal error: ", "runtime: ", "runtime/cgo: "}

// crash returns why podman crashed, or an empty string if it did not.
func (t *tail) crash() string {
	for line := range strings.Lines(string(t.head)) {
		for _, begin := range crashes {
			if strings.HasPrefix(line, begin) {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}

func (t *tail) Write(p []byte) (int, error) {
	t.head = append(t.head, p[:min(len(p), maxHead-len(t.head))]...)
	t.buffer = append(t.buffer, p...)
	if extra := len(t.buffer) - maxStderr; extra > 0 {
		t.buffer = append(t.buffer[:0], t.buffer[extra:]...)
	}
	return len(p), nil
}

// message returns the tail as one line, without podman's prefix, and without its
// warnings if there is anything else: they are about things that succeeded later, such as
// the first tries of a pull. For a crash it is only the reason.
func (t *tail) message() string {
	if crash := t.crash(); crash != "" {
		return crash
	}
	var errs, warnings []string
	for _, line := range strings.Split(strings.TrimSpace(string(t.buffer)), "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(line, "Error: "))
		switch {
		case line == "":
		case strings.HasPrefix(line, "time=") && strings.Contains(line, " level=warning "):
			warnings = append(warnings, line)
		default:
			errs = append(errs, line)
		}
	}
	if len(errs) == 0 {
		errs = warnings
	}
	return strings.Join(errs, "; ")
}

// begin returns the beginning of what was written, if only the end is kept.
func (t *tail) begin() string {
	if len(t.buffer) < maxStderr {
		return ""
	}
	return string(t.head)
}

// retried reports whether podman says that it has tried again by itself
// (containers/common pkg/retry/retry.go).
func (t *tail) retried() bool { return bytes.Contains(t.buffer, []byte("Failed, retrying in ")) }

var _ io.Writer = (*tail)(nil)
