// Package storage keeps what jobs leave on purpose for later jobs: builds, caches, volumes of
// projects, images. It records when each was last used, and removes those that are no longer
// used.
//
// podman does not say when a volume or an image was last used, and its labels cannot be
// changed. So prepare keeps a file for each in the policy's state_dir. The file's time is that
// of the latest job, and it is locked while a job's containers are made: see
// docs/decisions/0019 and 0026.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"podman-executor/internal/filelock"
	"podman-executor/internal/trust"
)

// Records is a directory with a file for each volume, directory below data_dir, and image. The
// record of a volume has its name, that of a directory its path below data_dir, such as
// "builds/project-7"; for images see [Records.HoldImage].
type Records struct{ Dir string }

// RecordsIn returns the records of a state_dir.
func RecordsIn(stateDir string) Records { return Records{Dir: filepath.Join(stateDir, "used")} }

// ErrInUse is the error if a job uses something, or has used it meanwhile.
var ErrInUse = errors.New("it is in use")

// lockPoll is the time between two tries to get a lock. Its holder is removing something,
// which does not take long.
const lockPoll = 100 * time.Millisecond

// Hold records that a job uses something now. It is not removed until release is called, which
// is when a container of the job has it.
func (r Records) Hold(ctx context.Context, name string) (release func(), err error) {
	release, _, err = r.hold(ctx, name)
	return release, err
}

// hold is [Records.Hold]. It also returns the time that the record had before; for a new
// record, the time at which it was made.
func (r Records) hold(ctx context.Context, name string) (release func(), before time.Time, err error) {
	if err := trust.MakeDir(r.Dir, trust.Self()); err != nil {
		return nil, before, fmt.Errorf("making the directory of the records: %w", err)
	}
	for {
		f, err := r.open(name, os.O_CREATE|os.O_RDWR, filelock.Shared)
		if err == nil {
			if before, err = touch(f); err != nil {
				_ = f.Close()
				return nil, before, fmt.Errorf("recording the use of %s: %w", name, err)
			}
			return func() { _ = f.Close() }, before, nil
		}
		if !errors.Is(err, ErrInUse) {
			return nil, before, fmt.Errorf("recording the use of %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			return nil, before, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// touch sets a file's time to now, and returns what it was.
func touch(f *os.File) (before time.Time, err error) {
	info, err := f.Stat()
	if err != nil {
		return before, err
	}
	now := time.Now()
	return info.ModTime(), os.Chtimes(f.Name(), now, now)
}

// Free calls remove for something that was last used at lastUse, and removes its record. The
// error is [ErrInUse] if a job has used it since, or is about to.
func (r Records) Free(name string, lastUse time.Time, remove func() error) error {
	f, err := r.open(name, os.O_RDWR, filelock.Exclusive)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrInUse // freed by another call, perhaps used again since
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.ModTime().Equal(lastUse) {
		return ErrInUse
	}
	if err := remove(); err != nil {
		return err
	}
	return os.Remove(f.Name())
}

// LastUses returns when everything that has a record was last used.
func (r Records) LastUses() (map[string]time.Time, error) {
	entries, err := os.ReadDir(r.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the records: %w", err)
	}
	uses := map[string]time.Time{}
	for _, entry := range entries {
		info, err := entry.Info()
		name, nameErr := url.PathUnescape(entry.Name())
		if err == nil && nameErr == nil && info.Mode().IsRegular() {
			uses[name] = info.ModTime()
		}
	}
	return uses, nil
}

// open opens and locks a record. The error is ErrInUse if somebody else has the lock, or has
// removed the record since it was opened.
func (r Records) open(name string, flags, lock int) (*os.File, error) {
	f, err := os.OpenFile(r.file(name), flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := filelock.Try(f, lock); err != nil {
		_ = f.Close()
		if errors.Is(err, filelock.ErrHeld) {
			return nil, ErrInUse
		}
		return nil, err
	}
	locked, err := f.Stat()
	named, nameErr := os.Stat(f.Name())
	if err != nil || nameErr != nil || !os.SameFile(locked, named) {
		_ = f.Close()
		return nil, ErrInUse
	}
	return f, nil
}

func (r Records) file(name string) string { return filepath.Join(r.Dir, url.PathEscape(name)) }
