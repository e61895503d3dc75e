// Package trust judges the paths of what must be nobody else's: who can replace the
// policy, or podman, decides what every job may do; who owns a directory that the
// driver works in gets at what jobs keep there.
//
// A path is judged on the way to it, one component after the other, as the kernel goes:
// each directory and each symbolic link, also one in the middle of a chain of links, must
// be root's or the owner's, and no directory on the way one that others can write to. In
// a sticky directory, such as /tmp, others can write, but only replace what is theirs. In
// a user namespace, what is from outside counts as root's. A device, such as /dev/null, may be
// writable by everyone. The file that comes back open is the one that was judged, even if
// its path leads elsewhere by then.
package trust

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Error is a path that somebody else could make lead to something else, or whose end
// somebody else can change.
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

// Path judges a path that is there, and what it leads to.
func Path(name string, o Identity) error {
	w, err := walk(name, o, absentFails)
	if err != nil {
		return err
	}
	return w.end.Close()
}

// Whereabouts judges a path as far as it is there: what is absent can be made by nobody
// else then, but in a sticky directory.
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
	// Nobody who holds the other end of a pipe is waited for.
	return w.reopen(name, unix.O_RDONLY|unix.O_NONBLOCK)
}

// Append opens a file for appending to it, makes it with the mode 0600 where it is not
// there, and judges what it has opened.
func Append(name string, o Identity) (*os.File, error) {
	w, err := walk(name, o, fileIsMade)
	if err != nil {
		return nil, err
	}
	defer w.end.Close()
	return w.reopen(name, unix.O_WRONLY|unix.O_APPEND)
}

// MakeDir makes a directory and those above it that are not there, with mode 0700,
// and judges all of them.
func MakeDir(name string, o Identity) error {
	w, err := walk(name, o, dirIsMade)
	if err != nil {
		return err
	}
	defer w.end.Close()
	return isDir(w.end, name)
}

// MakeOwn makes a directory below another, which exists, and all between the two, with
// the mode 0700. None of them may be a symbolic link, and all must be the owner's own;
// others may write only to what is behind a directory that only the owner enters, and
// to the last, which comes back open (O_PATH).
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
