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

// Readers keeps which projects may read what is in the local storage. A repository
// is restricted once somebody has pulled from it with credentials that are for it:
// then only a project that has pulled from it itself, since then, gets its images
// without its registry being asked. What was there before, and everybody's, stays so.
//
// It is a directory for each such repository, its slashes replaced by `+`:
//
//	DIR/registry.example.com+team+app/glrt-abc_12-project-7  an empty file for each project
//	DIR/registry.example.com+team+app/.open                  the IDs of the images that are everybody's
//	DIR/registry.example.com+team+app/.pulling-HASH          the name of an image whose pull has begun
//
// A repository is what registries grant access to, so it does not matter by which
// tag or digest an image was pulled. It must be restricted before the pull. Where no
// image of it is in the storage any more, [Readers.Forget] removes the directory.
//
// As long as there is no project, a pull has only begun, and perhaps was cancelled, or its
// driver killed. What matters is whether it has brought anything: if the storage has no
// image of that name, or one that is everybody's, nothing is restricted, see [Readers.May].
// Without any pull either, the directory is of a version that did not keep that, and
// restricts.
type Readers struct {
	// Dir is made where it is needed. It must outlive the images.
	Dir string
	// Project is the file name of the project that asks.
	Project string
}

// StateError is a failure of the machine: what the driver must know or remember of
// pulls cannot be read or written.
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

// May reports whether the project may read an image that was found in the storage by a name
// of a repository, before the call.
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

// Restrict makes a repository one that not every project may read, before that name of
// it is pulled. open returns the IDs of the images that the storage has of it. undo
// takes it back, for a pull that has brought nothing; it is nil where that would change
// nothing.
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
	// What is everybody's now stays everybody's. What comes after the list is not in it, and
	// what an earlier pull has brought before, the look that follows the list finds.
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
	// Another pull of the name may have died only a moment ago, and its podman not yet.
	_, taken := s.pulls[file]
	if err := r.begin(repository, file, name, slices.Concat(s.open, ids)); err != nil || taken {
		return nil, err
	}
	return func() { r.undo(repository, file) }, nil
}

// begin writes that a pull has begun.
func (r Readers) begin(repository, file, name string, open []string) error {
	dir := r.repository(repository)
	into := dir
	if there, err := exists(dir); err != nil {
		return err
	} else if !there {
		// All at once: what has neither projects nor pulls restricts.
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

// undo takes back what begin has written.
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

// remove removes the directory of a repository at once.
func (r Readers) remove(dir string) {
	gone, err := os.MkdirTemp(r.Dir, ".gone-")
	if err == nil {
		_ = os.Rename(dir, filepath.Join(gone, "x"))
		_ = os.RemoveAll(gone)
	}
}

// Add makes the project one that may read a repository, which is restricted from then on.
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

// The files of a repository's directory that are no project's.
const (
	openFile     = ".open"
	pullingFiles = ".pulling-"
)

// pulling is the file of the pull of a name.
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
