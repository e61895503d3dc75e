// Package atomicfile replaces files atomically: a reader sees all of the old text or all of the
// new one.
package atomicfile

import (
	"os"
	"path/filepath"
)

// Write writes a file that only this user can read, with a temporary file in its directory and
// rename(2). A link with that name is replaced, not followed. It does not wait for the disk:
// such files are only needed until the next boot, or can be recreated.
func Write(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
