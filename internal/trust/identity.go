package trust

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Identity is a process's user and group.
type Identity struct {
	UID, GID int
	// Outside is the uid that the kernel shows for users who are not in the process's user
	// namespace; 0 if all users are in it. In a container, that includes the user who started
	// it and owns what is mounted into it.
	Outside int
}

// Self returns the identity of this process.
func Self() Identity {
	o := Identity{UID: os.Geteuid(), GID: os.Getegid()}
	if text, err := os.ReadFile("/proc/self/uid_map"); err == nil && !mapsAll(string(text)) {
		o.Outside = overflowUID
	}
	return o
}

// overflowUID is the kernel's number for users that have none
// (/proc/sys/kernel/overflowuid, which nobody changes).
const overflowUID = 65534

// mapsAll reports whether the text of a /proc/PID/uid_map has every user, as that of the
// machine's own user namespace.
func mapsAll(text string) bool {
	return slices.Equal(strings.Fields(text), []string{"0", "0", "4294967295"})
}

func (o Identity) owns(uid int) bool {
	return uid == 0 || uid == o.UID || o.Outside != 0 && uid == o.Outside
}

// stranger returns a text saying that a file is somebody else's, or an empty string.
func (o Identity) stranger(uid int) string {
	if o.owns(uid) {
		return ""
	}
	return fmt.Sprintf("belongs to user %d, not to root or gitlab-runner's user (%d)", uid, o.UID)
}

// A group may write if it is root's, or the owner's private group, which has the user's number:
// users of Fedora and Debian have such groups.
func (o Identity) privateGroup(gid int) bool { return gid == 0 || gid == o.GID && o.GID == o.UID }

// distrust returns why a file with that mode and owner cannot be trusted, or an empty string.
// In a sticky directory, such as /tmp, only owners can replace files.
func (o Identity) distrust(mode fs.FileMode, uid, gid int) string {
	sticky := mode.IsDir() && mode&fs.ModeSticky != 0
	switch {
	case o.stranger(uid) != "":
		return o.stranger(uid)
	case mode&0o002 != 0 && !sticky:
		return fmt.Sprintf("is writable by everyone (mode %#o)", mode.Perm())
	case mode&0o020 != 0 && !sticky && !o.privateGroup(gid):
		return fmt.Sprintf("is writable by group %d (mode %#o)", gid, mode.Perm())
	}
	return ""
}
