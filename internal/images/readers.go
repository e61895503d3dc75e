package images

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"podman-executor/internal/atomicfile"
	"podman-executor/internal/filelock"
	"podman-executor/internal/trust"
)

// Readers records which projects may read which images in the local storage. A repository
// becomes restricted once somebody has pulled from it with credentials for it. From then on, a
// project gets its images without asking the registry only if it has pulled from it itself.
// Images that were everybody's before stay everybody's.
//
// It is a directory for each such repository, its slashes replaced by `+`:
//
//	DIR/registry.example.com+team+app/glrt-abc_12-project-7  an empty file for each project
//	DIR/registry.example.com+team+app/.open                  the IDs of the images that are everybody's
//	DIR/registry.example.com+team+app/.pulling-HASH          the name of an image whose pull has begun
//
// A repository is what registries grant access to, so it does not matter by which tag or digest
// an image was pulled. It must be restricted before the pull. When no image of it is left in
// the storage, [Readers.Forget] removes the directory.
//
// If the directory has no project, a pull has only begun, and perhaps was cancelled, or its
// driver killed. What matters is whether it has brought anything: if the storage has no image
// of that name, or one that is everybody's, nothing is restricted, see [Readers.May]. A
// directory with neither projects nor pulls is from a version that did not record pulls, and
// restricts.
type Readers struct {
	// Dir is created when needed. It must outlive the images.
	Dir string
	// Project is the file name of the project that asks.
	Project string
}

// StateError is a failure of the machine: the records of pulls cannot be read or written.
type StateError struct{ Err error }

func (e *StateError) Error() string { return e.Err.Error() }
func (e *StateError) Unwrap() error { return e.Err }

func isStateError(err error) bool {
	var state *StateError
	return errors.As(err, &state)
}

// Look returns the ID of the image that has that name in the local storage now; empty if no
// image has it.
type Look func(name string) (id string, err error)

// May reports whether the project may read an image of a repository that was found in the
// storage before the call.
func (r Readers) May(repository, id string, look Look) (bool, error) {
	s, err := r.read(repository)
	switch {
	case err != nil:
		return false, err
	case !s.there, slices.Contains(s.projects, r.Project), slices.Contains(s.open, id):
		return true, nil
	}
	return s.broughtNothing(look), nil
}

// Restrict restricts a repository, before one of its names is pulled. open returns the IDs of
// the repository's images in the storage. undo takes the restriction back if the pull has
// brought nothing; it is nil if there is nothing to take back.
func (r Readers) Restrict(repository, name string, open func() ([]string, error), look Look) (undo func(), err error) {
	defer func() {
		if err != nil && !isStateError(err) {
			err = &StateError{fmt.Errorf("remembering who may read %s: %w", repository, err)}
		}
	}()
	s, err := r.read(repository)
	if err != nil {
		return nil, err
	}
	// What is everybody's now stays everybody's. Images that arrive after the list are not in
	// it, and the look that follows the list finds what an earlier pull brought before.
	var ids []string
	if !s.there || len(s.projects) == 0 && len(s.pulls) > 0 {
		if ids, err = open(); err != nil {
			return nil, err
		}
		if s.there && !s.broughtNothing(look) {
			ids = nil
		}
	}
	unlock, err := r.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if s, err = r.read(repository); err != nil || s.there && (len(s.projects) > 0 || len(s.pulls) == 0) {
		r.seen(repository, time.Now())
		return nil, err
	}
	file := pulling(name)
	// Another driver's pull of the name may just have died while its podman still runs.
	_, taken := s.pulls[file]
	if err := r.begin(repository, file, name, slices.Concat(s.open, ids)); err != nil || taken {
		return nil, err
	}
	return func() { r.undo(repository, file) }, nil
}

// begin records that a pull has begun.
func (r Readers) begin(repository, file, name string, open []string) error {
	dir := r.repository(repository)
	into := dir
	if there, err := exists(dir); err != nil {
		return err
	} else if !there {
		// Atomically, since a directory with neither projects nor pulls restricts.
		if into, err = os.MkdirTemp(r.Dir, ".new-"); err != nil {
			return err
		}
		defer os.RemoveAll(into)
	}
	slices.Sort(open)
	if err := atomicfile.Write(filepath.Join(into, openFile), []byte(strings.Join(slices.Compact(open), "\n"))); err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(into, file), []byte(name)); err != nil || into == dir {
		return err
	}
	return os.Rename(into, dir)
}

// undo removes what begin has recorded.
func (r Readers) undo(repository, file string) {
	unlock, err := r.lock()
	if err != nil {
		return
	}
	defer unlock()
	s, err := r.read(repository)
	dir := r.repository(repository)
	if _, mine := s.pulls[file]; err != nil || !mine {
		return
	}
	if len(s.projects) == 0 && len(s.pulls) == 1 {
		r.remove(dir)
		return
	}
	_ = os.Remove(filepath.Join(dir, file))
}

// remove removes the directory of a repository atomically.
func (r Readers) remove(dir string) {
	gone, err := os.MkdirTemp(r.Dir, ".gone-")
	if err == nil {
		_ = os.Rename(dir, filepath.Join(gone, "x"))
		_ = os.RemoveAll(gone)
	}
}

// Add lets the project read a repository, which is restricted from then on.
func (r Readers) Add(repository string) error {
	err := r.add(repository)
	if err != nil {
		return &StateError{fmt.Errorf("remembering who may read %s: %w", repository, err)}
	}
	return nil
}

func (r Readers) add(repository string) error {
	unlock, err := r.lock()
	if err != nil {
		return err
	}
	defer unlock()
	dir := r.repository(repository)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, r.Project), nil, 0o600); err != nil {
		return err
	}
	s, err := r.read(repository)
	for file := range s.pulls {
		_ = os.Remove(filepath.Join(dir, file))
	}
	return err
}

// The files in a repository's directory that do not stand for a project.
const (
	openFile     = ".open"
	pullingFiles = ".pulling-"
)

// pulling returns the file for the pull of a name.
func pulling(name string) string {
	hash := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%s%x", pullingFiles, hash[:16])
}

func (r Readers) repository(name string) string {
	return filepath.Join(r.Dir, strings.ReplaceAll(name, "/", "+"))
}

// lock keeps others from writing.
func (r Readers) lock() (unlock func(), err error) {
	if err := trust.MakeDir(r.Dir, trust.Self()); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(r.Dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := filelock.Wait(f, filelock.Exclusive); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
