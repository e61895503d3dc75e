package podman

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"
)

// Timeouts bound podman's commands; 0: no bound.
type Timeouts struct {
	// Pull is for `image pull`.
	Pull time.Duration `json:"pull,omitempty"`
	// Command is for everything else. `start --attach` takes as long as the
	// container runs: of it, this bounds how long the container may take to run,
	// see [Podman.Start].
	Command time.Duration `json:"command,omitempty"`
}

// TimeoutError is a podman command that was stopped because it took too long.
type TimeoutError struct {
	// Verb is the command, such as "image pull".
	Verb string
	// Limit is the bound that it has passed.
	Limit time.Duration
}

// Error returns verb and bound.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("podman %s: stopped, since it took longer than %s", e.Verb, e.Limit)
}

// IsPull tells which of the [Timeouts] it was.
func (e *TimeoutError) IsPull() bool { return e.Verb == pullVerb }

const pullVerb = "image pull"

// limit returns the bound of a command.
func (t Timeouts) limit(verb string) time.Duration {
	if verb == pullVerb {
		return t.Pull
	}
	return t.Command
}

// bound gives a command its time. The cause of the context's end tells whether
// that was over, or the caller's.
func (p *Podman) bound(ctx context.Context, args []string) (context.Context, context.CancelFunc) {
	name := verb(args)
	limit := p.Timeouts.limit(name)
	if limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, &TimeoutError{Verb: name, Limit: limit})
}

// podman's database is that of all its processes. Where it is locked for longer than
// one of them waits, which it is on a slow disk, the next try may go well.
const (
	lockedTries = 4
	lockedPause = 250 * time.Millisecond
)

// Locked tells whether podman could not do a thing because another process had its
// database: "database is locked" (SQLite's SQLITE_BUSY, podman from 4.8 on) or
// "database table is locked".
func Locked(err error) bool {
	var exit *ExitError
	return errors.As(err, &exit) && exit.Code == ExitPodman &&
		strings.Contains(exit.Stderr, "database ") && strings.Contains(exit.Stderr, "is locked")
}

// unlessLocked calls try until podman's database is not locked, a few times. Each
// wait is twice the one before, and up to half of it more.
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

// What the machine says when a disk is full, in podman's words and in those of what
// it runs (errno(3): ENOSPC, EDQUOT).
var fullDisk = []string{"no space left on device", "disk quota exceeded", "database or disk is full"}

// What it says when no process can be made (fork(2), EAGAIN), and when Go's runtime,
// of podman or of this program, gets no thread.
var noProcess = []string{"fork/exec", "cannot fork", "fork: ", "clone: ", "pthread_create", "failed to create new OS thread"}

// DiskFull tells whether a command, or a system call, failed for want of space on a
// disk.
func DiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || says(err, fullDisk...)
}

// NoProcesses tells whether one failed because the user, or the cgroup, has no
// process left to start.
func NoProcesses(err error) bool {
	return errors.Is(err, syscall.EAGAIN) ||
		says(err, "resource temporarily unavailable") && says(err, noProcess...) || says(err, "failed to create new OS thread")
}

// says tells whether podman said one of the texts, given in lower case.
func says(err error, texts ...string) bool {
	said, ok := saidBy(err)
	if !ok {
		return false
	}
	for _, text := range texts {
		if strings.Contains(said, strings.ToLower(text)) {
			return true
		}
	}
	return false
}
