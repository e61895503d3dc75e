package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// forgetAfter is how long nobody has pulled from a restricted repository with a
	// credential, nor has an image of it been seen in the storage, until it is looked for.
	forgetAfter = 24 * time.Hour
	// forgetMost is how many repositories are looked at in one call: each has its lock.
	forgetMost = 200
)

// Forget removes the records of repositories of which no storage has an image: they are
// for what is there, and jobs choose the names. stored returns the repositories of all
// images of all storages that the records are for; it is called only where something may
// be forgotten, so once a day, and again while nobody pulls from what it did not have: a
// repository is restricted before its image is there. locks is the directory of [Lock].
func (r Readers) Forget(locks string, now time.Time, stored func() (map[string]bool, error)) error {
	old, err := r.unseen(now)
	if err != nil || len(old) == 0 {
		return err
	}
	there, err := stored()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(locks, 0o700); err != nil {
		return &StateError{fmt.Errorf("making the directory of the locks: %w", err)}
	}
	var gone []string
	for _, repository := range old {
		if there[repository] {
			r.seen(repository, now)
			continue
		}
		f, err := lockFile(locks, repository)
		if err != nil {
			if f != nil {
				_ = f.Close()
			}
			continue // somebody pulls from it
		}
		defer unlockFile(f)
		if gone = append(gone, repository); len(gone) == forgetMost {
			break
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if there, err = stored(); err != nil {
		return err
	}
	unlock, err := r.lock()
	if err != nil {
		return &StateError{fmt.Errorf("forgetting who may read images: %w", err)}
	}
	defer unlock()
	for _, repository := range gone {
		if dir := r.repository(repository); !there[repository] && isOld(dir, now) {
			r.remove(dir)
		}
	}
	return nil
}

// unseen are the restricted repositories that nobody has pulled from, nor seen in the
// storage, of late.
func (r Readers) unseen(now time.Time) ([]string, error) {
	entries, err := os.ReadDir(r.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &StateError{fmt.Errorf("finding out who may read images: %w", err)}
	}
	var old []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") && isOld(filepath.Join(r.Dir, entry.Name()), now) {
			// No repository has a "+" in its name.
			old = append(old, strings.ReplaceAll(entry.Name(), "+", "/"))
		}
	}
	return old, nil
}

func isOld(dir string, now time.Time) bool {
	info, err := os.Lstat(dir)
	return err == nil && info.IsDir() && now.Sub(info.ModTime()) > forgetAfter
}

// seen remembers in the time of a repository's directory that it is in use.
func (r Readers) seen(repository string, now time.Time) {
	_ = os.Chtimes(r.repository(repository), now, now)
}

// RepositoryOf returns an image's name without its tag and its digest.
func RepositoryOf(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name = name[:i]
	}
	return name
}
