package preflight

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Owner is a process's user and group.
type Owner struct {
	UID, GID int
	// Outside is the number by which the kernel shows users that are not in the
	// process's user namespace; 0 where all users are in it. In a container, that is
	// who started it, and what that one mounts into it.
	Outside int
}

// CurrentOwner returns those of this process.
func CurrentOwner() Owner {
	o := Owner{UID: os.Geteuid(), GID: os.Getegid()}
	if text, err := os.ReadFile("/proc/self/uid_map"); err == nil && !mapsAll(string(text)) {
		o.Outside = overflowUID
	}
	return o
}

// overflowUID is the kernel's number for users that have none
// (/proc/sys/kernel/overflowuid, which nobody changes).
const overflowUID = 65534

// mapsAll tells whether a text of /proc/PID/uid_map is that of a user namespace
// with every user: the machine's own.
func mapsAll(text string) bool {
	return slices.Equal(strings.Fields(text), []string{"0", "0", "4294967295"})
}

// UntrustedError is a file that somebody else could replace.
type UntrustedError struct {
	// Place is the file itself, or a directory on the way to it.
	Place string
	// Why says what is wrong with it: "belongs to the user 12".
	Why string
	// owned tells that it belongs to who it should.
	owned bool
}

func (e *UntrustedError) Error() string { return e.Place + " " + e.Why }

// Trusted tells whether a file, and each directory on the way to it, is root's or
// the owner's, and nobody else's to write: who can replace the policy, or podman,
// decides what every job may do. In a user namespace, what is from outside counts as root's. Symbolic links are followed, and both ways count.
//
// A group may write where it is root's, or the owner's private one, with the
// number of the user: Fedora's and Debian's users have such groups. In a sticky
// directory, such as /tmp, only owners replace files.
func Trusted(name string, owner Owner) error {
	name, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	resolved, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	if err := owner.trusts(resolved, false); err != nil {
		return err
	}
	for _, start := range []string{name, resolved} {
		for dir := filepath.Dir(start); ; dir = filepath.Dir(dir) {
			if err := owner.trusts(dir, true); err != nil {
				return err
			}
			if dir == "/" {
				break
			}
		}
	}
	return nil
}

func (o Owner) trusts(name string, isDir bool) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	stat := info.Sys().(*syscall.Stat_t)
	if why := o.distrust(info.Mode(), int(stat.Uid), int(stat.Gid), isDir); why != "" {
		return &UntrustedError{Place: name, Why: why, owned: o.owns(int(stat.Uid))}
	}
	return nil
}

func (o Owner) owns(uid int) bool {
	return uid == 0 || uid == o.UID || o.Outside != 0 && uid == o.Outside
}

// distrust says why a file of that mode and owner cannot be trusted, or nothing.
func (o Owner) distrust(mode fs.FileMode, uid, gid int, isDir bool) string {
	sticky := isDir && mode&fs.ModeSticky != 0
	private := gid == 0 || gid == o.GID && o.GID == o.UID
	switch {
	case !o.owns(uid):
		return fmt.Sprintf("belongs to the user %d, who is neither root nor gitlab-runner's user (%d)", uid, o.UID)
	case mode&0o002 != 0 && !sticky:
		return fmt.Sprintf("can be written to by everybody (mode %#o)", mode.Perm())
	case mode&0o020 != 0 && !sticky && !private:
		return fmt.Sprintf("can be written to by the group %d (mode %#o)", gid, mode.Perm())
	}
	return ""
}

// TrustCure is what to do about an error of [Trusted].
func TrustCure(err error) string {
	var untrusted *UntrustedError
	switch {
	case !errors.As(err, &untrusted):
		return ""
	case !untrusted.owned:
		return fmt.Sprintf("as root, `chown root %s`", untrusted.Place)
	}
	return fmt.Sprintf("`chmod go-w %s`", untrusted.Place)
}

// TrustCheck is [Trusted] as a row of the table.
func TrustCheck(check, name string, owner Owner) Result {
	if err := Trusted(name, owner); err != nil {
		return Result{Check: check, Level: Error, Detail: err.Error(), Cure: TrustCure(err)}
	}
	return Result{Check: check, Detail: name}
}
