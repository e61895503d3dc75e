package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"podman-executor/internal/trust"
	"podman-executor/pkg/policy"
)

const (
	// forgetAfter is how long nobody must have pulled from a restricted repository with a
	// credential, nor an image of it been seen in the storage, before images of it are looked
	// for. It is also the age at which an unfinished pull is certainly over.
	forgetAfter = 24 * time.Hour
	// forgetMost is how many repositories are checked in one call, since each must be locked.
	forgetMost = 200
)

// Forget removes the records of repositories of which no storage has an image, and of pulls
// that were cancelled, or whose driver was killed, and have brought nothing. Records are only
// needed for existing images, and jobs choose the names, so they could grow without bound.
// stored returns the names of all images in all storages that the records are for. It is called
// only if something may be forgotten, about once a day, and again under the locks, since a
// repository is restricted before its image exists. locks is the directory of [Lock].
func (r Readers) Forget(locks string, now time.Time, stored func() (map[string]bool, error)) error {
	old, err := r.unseen(now)
	if err != nil || len(old) == 0 {
		return err
	}
	there, err := stored()
	if err != nil {
		return err
	}
	if err := trust.MakeDir(locks, trust.Self()); err != nil {
		return &StateError{fmt.Errorf("creating the directory for locks: %w", err)}
	}
	var gone []string
	for _, repository := range old {
		if hasImage(there, repository) && len(r.oldPulls(repository, now)) == 0 {
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
		r.forget(repository, now, there)
	}
	return nil
}

// forget removes the useless records of one repository. there has the names of the images in
// the storages.
func (r Readers) forget(repository string, now time.Time, there map[string]bool) {
	dir := r.repository(repository)
	if !hasImage(there, repository) && isOld(dir, now) {
		r.remove(dir)
		return
	}
	s, err := r.read(repository)
	if err != nil {
		return
	}
	for _, file := range r.oldPulls(repository, now) {
		if there[s.pulls[file]] {
			// It has brought an image: check again in a day.
			_ = os.Chtimes(filepath.Join(dir, file), now, now)
			continue
		}
		if len(s.projects) == 0 && len(s.pulls) == 1 {
			r.remove(dir)
			return
		}
		_ = os.Remove(filepath.Join(dir, file))
		delete(s.pulls, file)
	}
}

// hasImage reports whether one of the names is of a repository.
func hasImage(names map[string]bool, repository string) bool {
	for name := range names {
		if policy.RepositoryOf(name) == repository {
			return true
		}
	}
	return false
}

// unseen returns the restricted repositories that nobody has recently pulled from, or seen in
// the storage, and those with pulls that are long over.
func (r Readers) unseen(now time.Time) (old []string, err error) {
	err = r.each(func(repository string, info fs.FileInfo) error {
		if info.IsDir() && now.Sub(info.ModTime()) > forgetAfter || len(r.oldPulls(repository, now)) > 0 {
			old = append(old, repository)
		}
		return nil
	})
	return old, err
}

// each calls a function for each repository that has a record.
func (r Readers) each(call func(repository string, info fs.FileInfo) error) error {
	entries, err := os.ReadDir(r.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &StateError{fmt.Errorf("finding out who may read images: %w", err)}
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		// No repository has a "+" in its name.
		if err := call(strings.ReplaceAll(entry.Name(), "+", "/"), info); err != nil {
			return err
		}
	}
	return nil
}

// oldPulls returns the files of a repository's pulls that are certainly over.
func (r Readers) oldPulls(repository string, now time.Time) (files []string) {
	names, _ := filepath.Glob(filepath.Join(r.repository(repository), pullingFiles+"*"))
	for _, name := range names {
		if info, err := os.Lstat(name); err == nil && now.Sub(info.ModTime()) > forgetAfter {
			files = append(files, filepath.Base(name))
		}
	}
	return files
}

func isOld(dir string, now time.Time) bool {
	info, err := os.Lstat(dir)
	return err == nil && info.IsDir() && now.Sub(info.ModTime()) > forgetAfter
}

// seen records that a repository is in use, by setting its directory's time.
func (r Readers) seen(repository string, now time.Time) {
	_ = os.Chtimes(r.repository(repository), now, now)
}
