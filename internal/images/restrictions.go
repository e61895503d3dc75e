package images

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"podman-executor/internal/trust"
)

// ReadersIn returns the records in state_dir, without a project.
func ReadersIn(stateDir string) Readers {
	return Readers{Dir: filepath.Join(stateDir, "private-images")}
}

// Restriction is a repository whose images in the local storage not every project may use.
type Restriction struct {
	Repository string
	// Projects are the names of those that may.
	Projects []string
}

// List returns the repositories that are restricted, or would be if an unfinished pull has
// brought an image.
func (r Readers) List() (list []Restriction, err error) {
	err = r.each(func(repository string, _ fs.FileInfo) error {
		s, err := r.read(repository)
		if err == nil && s.there {
			list = append(list, Restriction{Repository: repository, Projects: s.projects})
		}
		return err
	})
	return list, err
}

// Open forgets who may read the images of a repository, so every project may. It does not do so
// while a job pulls from it, because that job's image would become everybody's. locks is the
// directory of [Lock].
func (r Readers) Open(locks, repository string) error {
	err := r.open(locks, repository)
	if err != nil {
		return &StateError{fmt.Errorf("forgetting who may read %s: %w", repository, err)}
	}
	return nil
}

func (r Readers) open(locks, repository string) error {
	if err := trust.MakeDir(locks, trust.Self()); err != nil {
		return err
	}
	f, err := lockFile(locks, repository)
	if err != nil {
		if f != nil {
			_ = f.Close()
		}
		return errors.New("a job is pulling from it: try again later")
	}
	defer unlockFile(f)
	unlock, err := r.lock()
	if err != nil {
		return err
	}
	defer unlock()
	r.remove(r.repository(repository))
	there, err := exists(r.repository(repository))
	if err == nil && there {
		err = errors.New("its directory cannot be removed")
	}
	return err
}
