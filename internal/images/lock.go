package images

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"podman-executor/internal/filelock"
	"podman-executor/internal/trust"
)

// Lock waits until no other job of this user pulls from the repository, and calls
// wait if it has to. podman itself would fetch what two jobs pull at the same time
// twice. The lock ends with the process, however that ends.
//
// The locks are files in dir, which is made and should be in memory: nobody removes
// them. Each repository has one of its own, or a job with a slow registry could
// hold up the pulls of others.
func Lock(ctx context.Context, dir, repository string, wait func()) (unlock func(), err error) {
	if err := trust.MakeDir(dir, trust.CurrentOwner()); err != nil {
		return nil, &StateError{fmt.Errorf("making the directory of the locks: %w", err)}
	}
	name := filepath.Join(dir, fmt.Sprintf("%x", sha256.Sum256([]byte(repository))))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, &StateError{fmt.Errorf("opening the lock of %s: %w", repository, err)}
	}
	unlock = func() { _ = f.Close() }
	err = filelock.Try(f, filelock.Exclusive)
	if errors.Is(err, filelock.ErrHeld) {
		wait()
		locked := make(chan error, 1)
		go func() { locked <- filelock.Wait(f, filelock.Exclusive) }()
		select {
		case err = <-locked:
		case <-ctx.Done():
			// The file stays open under the system call; the program ends soon.
			return nil, ctx.Err()
		}
	}
	if err != nil {
		unlock()
		return nil, &StateError{fmt.Errorf("locking %s: %w", name, err)}
	}
	return unlock, nil
}
