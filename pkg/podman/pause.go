package podman

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"time"
)

// pauseGone reports whether podman refuses all commands, because the process that keeps the user's
// namespaces was killed while, as podman believes, containers run. Commands with the output of a
// container are left out: it could say the same.
func pauseGone(err error) bool {
	var exit *ExitError
	return errors.As(err, &exit) && exit.Code == 1 && !slices.Contains([]string{"run", "start", "exec", "logs"}, exit.Verb) && noPause.MatchString(exit.Stderr)
}

// renewPause makes podman on this machine work again after [pauseGone], by `podman system migrate`.
// That also stops containers, so only one program does it at a time, and only if it is still
// needed.
func (p *Podman) renewPause(ctx context.Context) error {
	dir, err := os.Open(p.Getenv("XDG_RUNTIME_DIR"))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := lockDir(ctx, dir); err != nil {
		return err
	}
	var out bounded
	if err := p.once(ctx, []string{"ps", "--quiet", "--last", "1"}, streams{stdout: &out}); !pauseGone(err) {
		return err
	}
	// Of containers that were killed, too, it says "timed out" (podman 4.3.1) or crashes (5.4.2),
	// though it has helped. So the next command tells.
	err = p.once(ctx, []string{"system", "migrate"}, streams{stdout: &out})
	var exit *ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// lockDir locks a directory until it is closed. Another program holds it for some seconds at most.
func lockDir(ctx context.Context, dir *os.File) error {
	for {
		err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
