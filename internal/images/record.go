package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// record is the record of one repository.
type record struct {
	there bool
	// projects may read all its images in the storage; everybody may read the open ones.
	projects, open []string
	// pulls are the names whose pulls have begun, by their files.
	pulls map[string]string
}

// broughtNothing reports whether no pull has brought an image that is not everybody's. It is
// false if that is not known.
func (s record) broughtNothing(look Look) bool {
	if len(s.projects) > 0 || len(s.pulls) == 0 {
		return false
	}
	for _, name := range s.pulls {
		id, err := look(name)
		if err != nil || id != "" && !slices.Contains(s.open, id) {
			return false
		}
	}
	return true
}

// readTries is how often a record is read again if it changes while being read.
const readTries = 10

// read reads the record of a repository. Others may write it meanwhile.
func (r Readers) read(repository string) (s record, err error) {
	for range readTries {
		if s, err = readRecord(r.repository(repository)); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return record{}, &StateError{fmt.Errorf("finding out who may read an image: %w", err)}
	}
	return s, nil
}

// readRecord returns fs.ErrNotExist if a file was removed after it was listed.
func readRecord(dir string) (record, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, err
	}
	s := record{there: true, pulls: map[string]string{}}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == openFile || strings.HasPrefix(name, pullingFiles):
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return record{}, err
			}
			if name == openFile {
				s.open = strings.Fields(string(text))
			} else {
				s.pulls[name] = string(text)
			}
		case !strings.HasPrefix(name, "."):
			s.projects = append(s.projects, name)
		}
	}
	return s, nil
}

func exists(name string) (bool, error) {
	_, err := os.Lstat(name)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, err
	}
}
