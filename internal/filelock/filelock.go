// Package filelock locks files by flock(2). A lock ends with the process, however that ends, so
// there are no stale locks.
package filelock

import (
	"errors"
	"os"
	"syscall"
)

// How a file is locked: shared by many, or by one alone.
const (
	Shared    = syscall.LOCK_SH
	Exclusive = syscall.LOCK_EX
)

// ErrHeld is the error of [Try] if somebody else holds the lock.
var ErrHeld = errors.New("the lock is held")

// Try locks a file, or returns [ErrHeld] at once. Closing the file unlocks it.
func Try(f *os.File, how int) error {
	err := flock(f, how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrHeld
	}
	return err
}

// Wait locks a file as soon as possible.
func Wait(f *os.File, how int) error { return flock(f, how) }

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
