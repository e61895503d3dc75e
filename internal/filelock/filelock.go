// Package filelock locks files by flock(2). A lock ends with the process, however
// that ends, so nobody has to tell a lock that is held from one that was left behind.
package filelock

import (
	"errors"
	"os"
	"syscall"
)

// How a file is locked: by many, or by one alone.
const (
	Shared    = syscall.LOCK_SH
	Exclusive = syscall.LOCK_EX
)

// ErrHeld is the error of [Try] for a lock that somebody else has.
var ErrHeld = errors.New("the lock is held")

// Try locks a file, or returns [ErrHeld] at once. Closing the file unlocks it.
func Try(f *os.File, how int) error {
	err := flock(f, how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrHeld
	}
	return err
}

// Wait locks a file as soon as it can be.
func Wait(f *os.File, how int) error { return flock(f, how) }

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
