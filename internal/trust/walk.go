package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead over: the kernel's own limit
// (path_resolution(7)).
const maxLinks = 40

// absent is what to do about a missing component.
type absent int

const (
	// absentFails makes it an error.
	absentFails absent = iota
	// absentIsEnd ends the walk there.
	absentIsEnd
	// dirIsMade makes a directory; fileIsMade makes a file if it is the last component.
	dirIsMade
	fileIsMade
)

// walker walks along a path.
type walker struct {
	owner  Identity
	absent absent
	// end is where it is (O_PATH), at the path place, which has no symbolic links.
	end   *os.File
	place string
	links int
}

// walk walks along a path, and judges each component. The returned walker is at the end of the
// path, which is open with O_PATH.
func walk(name string, o Identity, a absent) (*walker, error) {
	if !filepath.IsAbs(name) {
		dir, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		name = dir + "/" + name // not cleaned: `link/..` may be another directory than the one before it
	}
	w := &walker{owner: o, absent: a}
	if err := w.toRoot(); err != nil {
		return nil, err
	}
	for rest := name; rest != ""; {
		var component string
		component, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		if component == "" || component == "." {
			continue
		}
		target, err := w.step(component, strings.Trim(rest, "/") == "")
		if errors.Is(err, fs.ErrNotExist) && a == absentIsEnd {
			return w, nil
		}
		if err != nil {
			_ = w.end.Close()
			return nil, whole(err, name)
		}
		if target != "" {
			rest = target + "/" + rest
		}
	}
	return w, nil
}

// whole replaces the path in the error of a missing component by the whole path, as in the
// kernel's errors.
func whole(err error, name string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "open", Path: name, Err: unix.ENOENT}
	}
	return err
}

func (w *walker) toRoot() error {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: "/", Err: err}
	}
	w.moveTo(os.NewFile(uintptr(fd), "/"), "/")
	return w.judge(w.end, "/")
}

func (w *walker) moveTo(f *os.File, place string) {
	if w.end != nil {
		_ = w.end.Close()
	}
	w.end, w.place = f, place
}

// step moves to one entry of the current directory. For a symbolic link it returns the target,
// which is still to be walked, from here, or from the root if it is absolute.
func (w *walker) step(name string, last bool) (target string, err error) {
	place := filepath.Join(w.place, name)
	f, err := w.open(name, place, last)
	if err != nil {
		return "", err
	}
	if err := w.judge(f, place); err != nil {
		_ = f.Close()
		return "", err
	}
	info, err := f.Stat()
	if err != nil || info.Mode().Type() != fs.ModeSymlink {
		w.moveTo(f, place)
		return "", err
	}
	defer f.Close()
	if w.links++; w.links > maxLinks {
		return "", &fs.PathError{Op: "open", Path: place, Err: unix.ELOOP}
	}
	target, err = readlink(f, place)
	if err == nil && filepath.IsAbs(target) {
		err = w.toRoot()
	}
	return target, err
}

// open opens an entry with O_PATH, and creates it if w says so.
func (w *walker) open(name, place string, last bool) (*os.File, error) {
	f, err := openAt(w.end, name, place)
	if !errors.Is(err, fs.ErrNotExist) || w.absent != dirIsMade && w.absent != fileIsMade {
		return f, err
	}
	switch {
	case w.absent == dirIsMade:
		err = unix.Mkdirat(int(w.end.Fd()), name, 0o700)
	case last:
		var fd int
		fd, err = unix.Openat(int(w.end.Fd()), name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err == nil {
			_ = unix.Close(fd)
		}
	}
	// Somebody else may have just created it: it is still judged.
	if err != nil && !errors.Is(err, fs.ErrExist) {
		var errno unix.Errno
		if errors.As(err, &errno) {
			err = &fs.PathError{Op: "make", Path: place, Err: errno}
		}
		return nil, err
	}
	return openAt(w.end, name, place)
}

// openAt opens an entry of a directory with O_PATH. It tries to open a directory first, because
// only that triggers an automount (open(2), O_PATH). A symbolic link does not count as a
// directory.
func openAt(dir *os.File, name, place string) (*os.File, error) {
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(int(dir.Fd()), name, flags|unix.O_DIRECTORY, 0)
	if errors.Is(err, unix.ENOTDIR) {
		fd, err = unix.Openat(int(dir.Fd()), name, flags, 0)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: place, Err: err}
	}
	return os.NewFile(uintptr(fd), place), nil
}

func readlink(f *os.File, place string) (string, error) {
	text := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(f.Fd()), "", text)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: place, Err: err}
	}
	return string(text[:n]), nil
}

// judge judges one file.
func (w *walker) judge(f *os.File, place string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	stat, why := info.Sys().(*syscall.Stat_t), ""
	switch mode := info.Mode(); {
	case mode.Type() == fs.ModeSymlink, mode&fs.ModeCharDevice != 0:
		why = w.owner.stranger(int(stat.Uid))
	default:
		why = w.owner.distrust(mode, int(stat.Uid), int(stat.Gid))
		if why == "" && mode&0o020 != 0 && mode&fs.ModeSticky == 0 && hasACL(f) {
			why = fmt.Sprintf("is writable by others than its owner through its access control list (mode %#o)", mode.Perm())
		}
	}
	if why == "" {
		return nil
	}
	return &Error{Place: place, Why: why, hint: w.owner.hint(place, why, info, int(stat.Uid))}
}

// hasACL reports whether a file has an access control list. Nobody on the list can have more
// rights than the mode shows for the group (acl(5)), so only files whose group may write need
// to be checked.
func hasACL(f *os.File) bool {
	// Extended attributes cannot be read from an O_PATH descriptor.
	size, err := unix.Getxattr(InHandle(f), "system.posix_acl_access", nil)
	return err == nil && size > 0
}

// hint returns what to do about an untrusted place.
func (o Identity) hint(place, why string, info fs.FileInfo, uid int) string {
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		return fmt.Sprintf("as root, check where it leads, then run `chown -h root %s`", place)
	case !o.owns(uid) && info.IsDir():
		return fmt.Sprintf("as root, check what is in it, then run `chown %d %s`, or use another directory", o.UID, place)
	case !o.owns(uid):
		return fmt.Sprintf("as root, run `chown root %s`", place)
	case strings.Contains(why, "access control list"):
		return fmt.Sprintf("run `setfacl -b %s`", place)
	}
	return fmt.Sprintf("run `chmod go-w %s`", place)
}

// goDown makes the directories below the current one; see [MakeOwn].
func (w *walker) goDown(below string) error {
	w.absent = dirIsMade
	components := strings.Split(filepath.Clean(below), "/")
	closed := false
	for i, name := range components {
		place := filepath.Join(w.place, name)
		f, err := w.open(name, place, false)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil {
			err = w.ownDirectory(f, info, place, closed || i == len(components)-1)
		}
		if err != nil {
			_ = f.Close()
			return err
		}
		closed = closed || info.Mode()&0o011 == 0
		w.moveTo(f, place)
	}
	return nil
}

// ownDirectory judges a directory that must be the owner's own.
func (w *walker) ownDirectory(f *os.File, info fs.FileInfo, place string, anyMode bool) error {
	stat := info.Sys().(*syscall.Stat_t)
	switch {
	case info.Mode().Type() == fs.ModeSymlink || !info.IsDir():
		return fmt.Errorf("%s is not a directory", place)
	case int(stat.Uid) != w.owner.UID:
		return &Error{
			Place: place, Why: fmt.Sprintf("belongs to user %d, not to gitlab-runner's user (%d)", stat.Uid, w.owner.UID),
			hint: fmt.Sprintf("as root, check what is in it, then remove it or run `chown %d %s`", w.owner.UID, place),
		}
	case anyMode:
		return nil
	}
	return w.judge(f, place)
}

// reopen opens what the walker has reached.
func (w *walker) reopen(name string, flags int) (*os.File, error) {
	for {
		fd, err := unix.Open(InHandle(w.end), flags|unix.O_CLOEXEC, 0)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), name), nil
		case !errors.Is(err, unix.EINTR):
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
}
