package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// limit is how many tests may run once more, over all suites that have the directory: more than that
// is a fault, and no chance.
const limit = 3

// suffix is that of the logs.
const suffix = ".log"

// claim writes the logs of failed tests to the directory, unless these are more than may run once more. A test of
// which there is a log has run once more before.
func claim(dir string, failed []*test) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lock, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", dir, err)
	}
	before, err := logs(dir)
	if err != nil {
		return err
	}
	if len(before)+len(failed) > limit {
		return fmt.Errorf("%d have failed, and %d before in other suites, which is more than %d", len(failed), len(before), limit)
	}
	for _, t := range failed {
		if err := t.write(dir); err != nil {
			return err
		}
	}
	return nil
}

// logs are the tests of which a directory has logs.
func logs(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, suffix) {
			names = append(names, strings.TrimSuffix(path, suffix))
		}
		return err
	})
	return names, err
}

func (t *test) write(dir string) error {
	name := filepath.Join(dir, strings.ReplaceAll(t.fullName(), "/", "-")+suffix)
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s has run once more before: %w", t.fullName(), err)
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString(t.log.String())
	return errors.Join(err, file.Close())
}
