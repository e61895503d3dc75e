package preflight

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// RuntimeDir checks that a user's runtime directory, the XDG_RUNTIME_DIR of podman's
// environment, exists and is private to the user. If it were missing, rootless podman would use
// a directory below /tmp instead, and lose its containers with it. Auth files are also kept
// there.
func RuntimeDir(dir string, u User) Result {
	r := Result{Check: "XDG_RUNTIME_DIR", Detail: dir}
	linger := fmt.Sprintf("as root, run `loginctl enable-linger %s`, so that /run/user/%d exists without a login; or set XDG_RUNTIME_DIR in gitlab-runner's environment to a directory of %s with mode 0700", u, u.UID, u)
	if dir == "" {
		if u.UID == 0 {
			r.Detail = "not needed by root"
			return r
		}
		r.Level, r.Hint = Error, linger
		r.Detail = fmt.Sprintf("XDG_RUNTIME_DIR is not set, and /run/user/%d does not exist", u.UID)
		return r
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Level, r.Hint, r.Detail = Error, linger, fmt.Sprintf("XDG_RUNTIME_DIR is %s, which does not exist", dir)
		return r
	case err != nil:
		r.Level, r.Hint, r.Detail = Error, linger, fmt.Sprintf("XDG_RUNTIME_DIR: %v", err)
		return r
	}
	if what := notPrivate(info, u.UID); what != "" {
		r.Level, r.Detail = Error, fmt.Sprintf("XDG_RUNTIME_DIR is %s, which %s", dir, what)
		r.Hint = fmt.Sprintf("make it a directory of %s with mode 0700, or remove XDG_RUNTIME_DIR from gitlab-runner's environment", u)
	}
	return r
}

// notPrivate returns why a directory is not private to a user, or an empty string.
func notPrivate(info fs.FileInfo, uid int) string {
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case !info.IsDir():
		return "is not a directory"
	case int(owner) != uid:
		return fmt.Sprintf("belongs to user %d, not to %d", owner, uid)
	// podman itself adds x for everybody, for containers in other user namespaces
	// (libpod/container_internal_linux.go, makeAccessible).
	case info.Mode().Perm()&^0o011 != 0o700:
		return fmt.Sprintf("has mode %#o, not 0700", info.Mode().Perm())
	}
	return ""
}

// lingering has a file for each user whose services outlive the last login
// (systemd src/login/logind-user.c, user_check_linger_file).
const lingering = "/var/lib/systemd/linger/"

// Linger warns if the runtime directory only exists while the user is logged in. systemd
// manages only those below /run/user.
func Linger(dir string, u User) (Result, bool) {
	_, noSystemd := os.Stat("/run/systemd/system")
	if noSystemd != nil || u.Name == "" || u.UID == 0 || !strings.HasPrefix(dir, "/run/user/") {
		return Result{}, false
	}
	r := Result{Check: "linger", Detail: "on for " + u.Name}
	if _, err := os.Stat(lingering + u.Name); err != nil {
		r.Level, r.Detail = Warning, fmt.Sprintf("off for %s: %s is removed at the last logout, and running jobs fail", u.Name, dir)
		r.Hint = "as root, run `loginctl enable-linger " + u.Name + "`"
	}
	return r, true
}
