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

// ReadersIn returns the readers that state_dir keeps, for no project.
func ReadersIn(stateDir string) Readers {
	return Readers{Dir: filepath.Join(stateDir, "private-images")}
}

// Restriction is a repository whose images in the local storage not every project may have.
type Restriction struct {
	Repository string
	// Projects are the names of those that may.
	Projects []string
	// Since is when that last changed.
	Since time.Time
}

// List returns the repositories that are restricted, or would be by what a pull that did
// not end has brought.
func (r Readers) List() ([]Restriction, error) {
	entries, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &StateError{fmt.Errorf("listing who may read images: %w", err)}
	}
	var list []Restriction
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		name := strings.ReplaceAll(e.Name(), "+", "/")
		s, err := r.read(name)
		if err != nil {
			return nil, err
		}
		if info, err := e.Info(); err == nil && s.there {
			list = append(list, Restriction{Repository: name, Projects: s.projects, Since: info.ModTime()})
		}
	}
	return list, nil
}

// Open forgets who may read the images of a repository: every project may.
func (r Readers) Open(repository string) error {
	unlock, err := r.lock()
	if err == nil {
		defer unlock()
		r.remove(r.repository(repository))
		var there bool
		if there, err = exists(r.repository(repository)); err == nil && there {
			err = errors.New("its directory cannot be removed")
		}
	}
	if err != nil {
		return &StateError{fmt.Errorf("forgetting who may read %s: %w", repository, err)}
	}
	return nil
}
