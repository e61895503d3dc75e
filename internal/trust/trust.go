// Package trust checks who else can change or replace a file. Whoever can replace the policy,
// or podman, decides what every job may do; whoever owns a directory that the driver works in
// can read what jobs keep there.
//
// A path is judged component by component, as the kernel resolves it. Each directory and each
// symbolic link, including those in the middle of a chain of links, must belong to root or the
// owner, and others must not be able to write to any directory on the way. A sticky directory,
// such as /tmp, is an exception: others can write there, but only replace their own files. In a
// user namespace, files of users outside it count as root's. A device, such as /dev/null, may
// be writable by everyone. The file that is returned open is the one that was judged, even if
// its path leads elsewhere by then.
package trust

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Error is the error of a path that somebody else can redirect, or whose target somebody else
// can change.
type Error struct {
	// Place is the path's end, or a directory or symbolic link on the way to it.
	Place string
	// Why says what is wrong with it: "belongs to the user 12".
	Why string
	// hint is what to do about it.
	hint string
}

// Error returns what is wrong with which place.
func (e *Error) Error() string { return e.Place + " " + e.Why }

// Hint returns what the administrator can do: a command.
func (e *Error) Hint() string { return e.hint }

// Hint is what to do about an untrusted path, empty for any other error.
func Hint(err error) string {
	var untrusted *Error
	if errors.As(err, &untrusted) {
		return untrusted.hint
	}
	return ""
}

// Path judges an existing path, and what it leads to.
func Path(name string, o Identity) error {
	w, err := walk(name, o, absentFails)
	if err != nil {
		return err
	}
	return w.end.Close()
}

// Whereabouts judges the part of a path that exists. If that can be trusted, nobody else can
// create the rest, except in a sticky directory.
func Whereabouts(name string, o Identity) error {
	w, err := walk(name, o, absentIsEnd)
	if err != nil {
		return err
	}
	return w.end.Close()
}

// Open opens a file for reading, and judges what it has opened.
func Open(name string, o Identity) (*os.File, error) {
	w, err := walk(name, o, absentFails)
	if err != nil {
		return nil, err
	}
	defer w.end.Close()
	// If it is a pipe, do not wait for its other end.
	return w.reopen(name, unix.O_RDONLY|unix.O_NONBLOCK)
}

// Append opens a file for appending, and judges what it has opened. It creates a missing file
// with mode 0600.
func Append(name string, o Identity) (*os.File, error) {
	w, err := walk(name, o, fileIsMade)
	if err != nil {
		return nil, err
	}
	defer w.end.Close()
	return w.reopen(name, unix.O_WRONLY|unix.O_APPEND)
}

// MakeDir makes a directory and its missing parents, with mode 0700, and judges all of them.
func MakeDir(name string, o Identity) error {
	w, err := walk(name, o, dirIsMade)
	if err != nil {
		return err
	}
	defer w.end.Close()
	return isDir(w.end, name)
}

// MakeOwn makes a directory below an existing one, with all directories in between, with mode
// 0700. None of them may be a symbolic link, and all must belong to the owner. Others may write
// only to those below a directory that only the owner can enter, and to the last one, which is
// returned open (O_PATH).
func MakeOwn(above, below string, o Identity) (*os.File, error) {
	if !filepath.IsLocal(below) {
		return nil, fmt.Errorf("%s is not below %s", below, above)
	}
	w, err := walk(above, o, absentFails)
	if err != nil {
		return nil, err
	}
	if err := isDir(w.end, above); err != nil {
		_ = w.end.Close()
		return nil, err
	}
	if err := w.goDown(below); err != nil {
		_ = w.end.Close()
		return nil, err
	}
	return w.end, nil
}

func isDir(f *os.File, name string) error {
	if info, err := f.Stat(); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a directory", name)
	}
	return nil
}

// InHandle returns a path that reaches the file of a descriptor, even if the file's own path
// leads elsewhere by then.
func InHandle(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
