package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"podman-executor/internal/trust"
)

// Readers keeps which projects may read what is in the local storage. A repository
// is restricted once somebody has pulled from it with credentials that are for it:
// then only a project that has pulled from it itself, since then, gets its images
// without its registry being asked.
//
// It is a directory for each such repository, its slashes replaced by `+`, with an
// empty file for each project:
//
//	DIR/registry.example.com+team+app/glrt-abc_12-project-7
//
// A repository is what registries grant access to, so it does not matter by which
// tag or digest an image was pulled. It must be restricted before the pull.
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

func (r Readers) repository(name string) string {
	return filepath.Join(r.Dir, strings.ReplaceAll(name, "/", "+"))
}

// May tells whether the project may read what is in the storage of a repository.
func (r Readers) May(repository string) (bool, error) {
	dir := r.repository(repository)
	if exists, err := exists(dir); err != nil || !exists {
		return err == nil, err
	}
	return exists(filepath.Join(dir, r.Project))
}

// Restrict makes a repository one that not every project may read. undo takes that
// back where it was not so before, and nobody has pulled from it since.
func (r Readers) Restrict(repository string) (undo func(), err error) {
	dir := r.repository(repository)
	if err := trust.MakeDir(r.Dir, trust.CurrentOwner()); err != nil {
		return nil, &StateError{fmt.Errorf("remembering who may read %s: %w", repository, err)}
	}
	err = os.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		return func() { _ = os.Remove(dir) }, nil
	case errors.Is(err, fs.ErrExist):
		return func() {}, nil
	default:
		return nil, &StateError{fmt.Errorf("remembering who may read %s: %w", repository, err)}
	}
}

// Add makes the project one that may read a repository, where not every one may.
func (r Readers) Add(repository string) error {
	dir := r.repository(repository)
	if restricted, err := exists(dir); err != nil || !restricted {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, r.Project), nil, 0o600); err != nil {
		return &StateError{fmt.Errorf("remembering who may read %s: %w", repository, err)}
	}
	return nil
}

func exists(name string) (bool, error) {
	_, err := os.Lstat(name)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, &StateError{fmt.Errorf("finding out who may read an image: %w", err)}
	}
}
