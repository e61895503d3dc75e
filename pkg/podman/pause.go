package podman

import (
	"context"
	"errors"
	"os"
	"syscall"
)

// pauseGone reports whether podman refuses all commands, because the process that keeps the user's
// namespaces was killed while, as podman believes, containers run.
func pauseGone(err error) bool { return stderrHas(err, noPause) }

// renewPause makes podman on this machine work again after [pauseGone], by `podman system migrate`.
// That also stops containers, so only one program does it at a time, and only if it is still
// needed.
func (p *Podman) renewPause(ctx context.Context) error {
	dir, err := os.Open(p.Getenv("XDG_RUNTIME_DIR"))
	if err != nil {
		return err
	}
	defer dir.Close()
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return err
	}
	var out bounded
	if err := p.once(ctx, []string{"ps", "--quiet", "--last", "1"}, streams{stdout: &out}); !pauseGone(err) {
		return err
	}
	// Of containers that were killed, too, it says "timed out" and exits with 125, though it has
	// helped (podman 4.3.1). So the next command tells.
	err = p.once(ctx, []string{"system", "migrate"}, streams{stdout: &out})
	if isExit(err, 125) {
		return nil
	}
	return err
}
