package images

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"podman-executor/internal/filelock"
	"podman-executor/internal/trust"
)

// maxLocks is how many files the directory of locks may have before locks that nobody holds are
// removed. These are left by pulls whose driver was killed.
const maxLocks = 64

// Lock waits until no other job of this user pulls from the repository. It calls wait if it must
// wait, and again at each tick while it waits. Without it podman would fetch twice what two jobs
// pull at the same time. The lock ends with the process, however that ends.
//
// The locks are files in dir, which is created and should be in memory. Each repository has its
// own, so that a job with a slow registry cannot delay the pulls of others. Unlocking removes
// the file, because jobs choose the repositories and files would pile up. So a lock is valid
// only while its file has its name: see [lockFile].
func Lock(ctx context.Context, dir, repository string, ticks <-chan time.Time, wait func()) (unlock func(), err error) {
	if err := trust.MakeDir(dir, trust.Self()); err != nil {
		return nil, &StateError{fmt.Errorf("creating the directory for locks: %w", err)}
	}
	removeLocks(dir)
	for waited := false; ; {
		f, err := lockFile(dir, repository)
		if errors.Is(err, filelock.ErrHeld) {
			if !waited {
				waited = true
				wait()
			}
			err = waitFor(ctx, f, ticks, wait)
		}
		switch {
		case errors.Is(err, errRemoved):
			continue
		case ctx.Err() != nil && err != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, &StateError{fmt.Errorf("locking %s: %w", repository, err)}
		}
		return func() { unlockFile(f) }, nil
	}
}

// errRemoved is the error of a lock whose file has lost its name since it was opened:
// others may hold the lock by a file that has the name now.
var errRemoved = errors.New("the lock was removed")

// lockFile locks a repository. If somebody else has locked it, the error is filelock.ErrHeld
// and the file is returned open. With another error no file is open.
func lockFile(dir, repository string) (*os.File, error) {
	name := filepath.Join(dir, fmt.Sprintf("%x", sha256.Sum256([]byte(repository))))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = filelock.Try(f, filelock.Exclusive)
	if errors.Is(err, filelock.ErrHeld) {
		return f, err
	}
	if err == nil {
		err = named(f)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// waitFor waits until it gets the lock of a file that somebody else has locked, and checks that
// the file still has its name. It calls tick at each tick. On an error it closes the file, unless ctx has ended: then the
// system call still uses the file, and the program ends soon.
func waitFor(ctx context.Context, f *os.File, ticks <-chan time.Time, tick func()) error {
	locked := make(chan error, 1)
	go func() { locked <- filelock.Wait(f, filelock.Exclusive) }()
	for {
		select {
		case err := <-locked:
			if err == nil {
				err = named(f)
			}
			if err != nil {
				_ = f.Close()
			}
			return err
		case <-ticks:
			tick()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// named returns [errRemoved] if a locked file has lost its name.
func named(f *os.File) error {
	locked, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(f.Name())
	if errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(locked, there) {
		return errRemoved
	}
	return err
}

// unlockFile removes a file that is locked and has its name, and unlocks it.
func unlockFile(f *os.File) {
	_ = os.Remove(f.Name())
	_ = f.Close()
}

// removeLocks removes the locks that nobody holds, if there are many locks.
func removeLocks(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) <= maxLocks {
		return
	}
	for _, entry := range entries {
		f, err := os.OpenFile(filepath.Join(dir, entry.Name()), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if filelock.Try(f, filelock.Exclusive) == nil && named(f) == nil {
			unlockFile(f)
			continue
		}
		_ = f.Close()
	}
}
