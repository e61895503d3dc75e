// Package pin mounts the sources of users' volumes at private paths of the driver, so that
// what was checked is what is mounted for the rest of the job.
//
// podman keeps the source of a volume as a path, and resolves it again at each start of the
// container, following symbolic links. A job that can write to a directory above one of its
// sources, through another volume, could put a link there between two steps, and get whatever
// it leads to. A bind mount keeps the directory or file itself.
//
// This program itself, called with one of the verbs, makes the mounts in the mount namespace in
// which podman sees the host's files; for rootless podman, with `podman unshare`. They last
// until they are undone, or that namespace ends.
package pin

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// Verb and the arguments DIR SOURCE… pin each source at DIR/0, DIR/1 and so on.
	Verb = "pin-volumes"
	// UndoVerb and the arguments DIR… undo that, and remove the directories.
	UndoVerb = "unpin-volumes"
	// ExitChanged is the exit status for a source that is not what was checked.
	ExitChanged = 3
)

// Target returns where the source with that number is pinned in a directory.
func Target(dir string, number int) string { return filepath.Join(dir, strconv.Itoa(number)) }

// ErrChanged is the error of a source that is no longer what was checked: it is gone, its path
// now has a symbolic link, or it is neither a directory nor a file.
var ErrChanged = errors.New("it has changed since it was checked")

// Main does what the arguments say, the first of which is a verb, and returns the
// program's exit status.
func Main(args []string, stderr io.Writer) int {
	var err error
	switch {
	case len(args) > 1 && args[0] == Verb:
		err = pinAll(args[1], args[2:])
	case len(args) > 1 && args[0] == UndoVerb:
		for _, dir := range args[1:] {
			err = errors.Join(err, undo(dir))
		}
	default:
		err = fmt.Errorf("want %s DIR SOURCE… or %s DIR…", Verb, UndoVerb)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrChanged):
		fmt.Fprintln(stderr, err)
		return ExitChanged
	default:
		fmt.Fprintln(stderr, err)
		return 1
	}
}

func pinAll(dir string, sources []string) error {
	for i, source := range sources {
		if err := pin(source, Target(dir, i)); err != nil {
			return fmt.Errorf("mounting %s: %w", source, err)
		}
	}
	return nil
}

// pin mounts a source, whose path has no symbolic links, at a new target.
func pin(source, target string) error {
	fd, err := open(source)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		err = os.Mkdir(target, 0o700)
	case unix.S_IFREG:
		err = os.WriteFile(target, nil, 0o600)
	default:
		return ErrChanged
	}
	if err != nil {
		return err
	}
	return unix.Mount("/proc/self/fd/"+strconv.Itoa(fd), target, "", unix.MS_BIND|unix.MS_REC, "")
}

// open opens a path without following symbolic links.
func open(name string) (int, error) {
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	if !filepath.IsAbs(name) || filepath.Clean(name) != name {
		return -1, fmt.Errorf("%q is not a clean absolute path", name)
	}
	at, err := unix.Open("/", flags|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, err
	}
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		if part == "" {
			break
		}
		next, err := unix.Openat(at, part, flags, 0)
		_ = unix.Close(at)
		if err != nil {
			if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
				return -1, ErrChanged
			}
			return -1, err
		}
		at = next
		var stat unix.Stat_t
		if err := unix.Fstat(at, &stat); err != nil || stat.Mode&unix.S_IFMT == unix.S_IFLNK {
			_ = unix.Close(at)
			return -1, errors.Join(err, ErrChanged)
		}
	}
	return at, nil
}

// undo removes a directory with its mounts, but nothing in what is mounted.
func undo(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	var problems []error
	for _, entry := range entries {
		target := filepath.Join(dir, entry.Name())
		for err = nil; err == nil; {
			err = unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		}
		if !errors.Is(err, unix.EINVAL) { // EINVAL: no longer a mount
			problems = append(problems, fmt.Errorf("unmounting %s: %w", target, err))
			continue
		}
		// Not RemoveAll: whatever is still mounted there stays.
		problems = append(problems, os.Remove(target))
	}
	return errors.Join(append(problems, os.Remove(dir))...)
}
