package preflight

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// LastID is the last id that images of Linux distributions use: 65534 is nobody, and 65535 is
// the last of 16 bits. In a container 0 is the user itself, and the user's range follows from
// 1, so a range of that many ids is just enough.
const LastID = 65535

// User is who podman runs as.
type User struct {
	// Name is empty if the machine has no name for the id.
	Name string
	UID  int
}

// CurrentUser returns the user of this process.
func CurrentUser() User {
	uid := os.Getuid()
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return User{Name: u.Username, UID: uid}
	}
	return User{UID: uid}
}

// String returns the name, or the number if there is none.
func (u User) String() string {
	if u.Name == "" {
		return strconv.Itoa(u.UID)
	}
	return u.Name
}

// SubIDs is the machine's configuration of the ids that a user may give to containers.
type SubIDs struct {
	User User
	// UIDs and GIDs are how many ids /etc/subuid and /etc/subgid give the user.
	UIDs, GIDs int64
	// Elsewhere reports whether they may come from a service instead of the files
	// (`subid:` in /etc/nsswitch.conf, getsubids(1)).
	Elsewhere bool
	// Squashed reports whether podman gives all files of images to the user itself
	// (ignore_chown_errors in storage.conf), so it needs no range.
	Squashed bool
}

// ReadSubIDs reads the machine's files. A file that cannot be read counts as having no ranges,
// as for podman.
func ReadSubIDs(u User, squashed bool) SubIDs {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			return ""
		}
		return string(text)
	}
	return SubIDs{
		User: u, Squashed: squashed,
		UIDs: countIDs(read("/etc/subuid"), u), GIDs: countIDs(read("/etc/subgid"), u),
		Elsewhere: subIDService(read("/etc/nsswitch.conf")),
	}
}

// countIDs adds up the ranges of a user in the text of a file of subuid(5):
// NAME:FIRST:COUNT, NAME can also be the user's number. Invalid lines
// are skipped (shadow lib/subordinateio.c, subordinate_parse).
func countIDs(text string, u User) int64 {
	var count int64
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 || fields[0] != strconv.Itoa(u.UID) && (u.Name == "" || fields[0] != u.Name) {
			continue
		}
		first, errFirst := strconv.ParseUint(fields[1], 10, 32)
		n, errCount := strconv.ParseUint(fields[2], 10, 32)
		if errFirst == nil && errCount == nil && first+n <= 1<<32 {
			count += int64(n)
		}
	}
	return count
}

// subIDService reports whether a text of nsswitch.conf(5) looks for the ranges
// elsewhere than in the files.
func subIDService(text string) bool {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if services, ok := strings.CutPrefix(strings.TrimSpace(line), "subid:"); ok {
			return len(strings.Fields(services)) > 0 && strings.TrimSpace(services) != "files"
		}
	}
	return false
}

// Enlarge returns how the administrator gives containers the ids up to last.
func (s SubIDs) Enlarge(last int64) string {
	return fmt.Sprintf("give %s at least %d ids in /etc/subuid and in /etc/subgid that no other user has: as root, run `usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST %s`; "+
		"then, as that user, run `podman system migrate`", s.User, last, s.User)
}

// Authors returns what the author of a job can do if its image has a file of the user id.
func (s SubIDs) Authors(id int64) string {
	return fmt.Sprintf("the image has a file of user or group %d, but containers on this runner only have ids 0 to %d: use an image without such files, or ask the administrator of this runner for more ids", id, s.Last())
}

// Last returns the last id that containers have.
func (s SubIDs) Last() int64 { return min(s.UIDs, s.GIDs) }

// Check checks that containers get the ids that images need.
func (s SubIDs) Check() Result {
	r := Result{Check: "subuid, subgid"}
	enlarge := s.Enlarge(LastID)
	missing := []string{}
	if s.UIDs == 0 {
		missing = append(missing, "/etc/subuid")
	}
	if s.GIDs == 0 {
		missing = append(missing, "/etc/subgid")
	}
	count := s.Last()
	switch {
	case s.User.UID == 0:
		r.Detail = "root needs no range"
	case len(missing) > 0 && s.Elsewhere:
		r.Detail = fmt.Sprintf("the user %s has no range in %s; /etc/nsswitch.conf names another source", s.User, list(missing))
	case len(missing) > 0 && s.Squashed:
		r.Level, r.Hint = Warning, enlarge
		r.Detail = fmt.Sprintf("the user %s has no range of ids in %s; with ignore_chown_errors in storage.conf all files of images belong to one user", s.User, list(missing))
	case len(missing) > 0:
		r.Level, r.Hint = Error, enlarge
		r.Detail = fmt.Sprintf("the user %s has no range of ids in %s: podman cannot unpack images", s.User, list(missing))
	case count < LastID:
		r.Level, r.Hint = Warning, enlarge
		r.Detail = fmt.Sprintf("the user %s has %d ids: images with files of a user above %d cannot be unpacked", s.User, count, count)
	default:
		r.Detail = fmt.Sprintf("%d ids: containers have users 0 to %d", count, count)
	}
	return r
}
