package preflight

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// RuntimeDir says whether a user's runtime directory, the XDG_RUNTIME_DIR of
// podman's environment, is there and the user's alone. rootless podman would take
// one below /tmp for a missing one, and lose its containers with it; auth files
// are kept there, too.
func RuntimeDir(dir string, u User) Result {
	r := Result{Check: "XDG_RUNTIME_DIR", Detail: dir}
	linger := fmt.Sprintf("as root, `loginctl enable-linger %s`, so that /run/user/%d is there without a login; or set XDG_RUNTIME_DIR in gitlab-runner's environment to a directory of %s with the mode 0700", u, u.UID, u)
	if dir == "" {
		if u.UID == 0 {
			r.Detail = "root needs none"
			return r
		}
		r.Level, r.Hint = Error, linger
		r.Detail = fmt.Sprintf("XDG_RUNTIME_DIR is not set, and there is no /run/user/%d", u.UID)
		return r
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Level, r.Hint, r.Detail = Error, linger, fmt.Sprintf("XDG_RUNTIME_DIR is %s, which is not there", dir)
		return r
	case err != nil:
		r.Level, r.Hint, r.Detail = Error, linger, fmt.Sprintf("XDG_RUNTIME_DIR: %v", err)
		return r
	}
	if what := notPrivate(info, u.UID); what != "" {
		r.Level, r.Detail = Error, fmt.Sprintf("XDG_RUNTIME_DIR is %s, which %s", dir, what)
		r.Hint = fmt.Sprintf("make it a directory of %s with the mode 0700, or leave XDG_RUNTIME_DIR out of gitlab-runner's environment", u)
	}
	return r
}

// notPrivate says why a directory is not a user's own, or nothing.
func notPrivate(info fs.FileInfo, uid int) string {
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case !info.IsDir():
		return "is no directory"
	case int(owner) != uid:
		return fmt.Sprintf("belongs to the user %d, not to %d", owner, uid)
	// podman itself adds x for everybody, for containers of other user namespaces
	// (libpod/container_internal_linux.go, makeAccessible).
	case info.Mode().Perm()&^0o011 != 0o700:
		return fmt.Sprintf("has the mode %#o, not 0700", info.Mode().Perm())
	}
	return ""
}

// lingering has a file for each user whose services outlive the last login
// (systemd src/login/logind-user.c, user_check_linger_file).
const lingering = "/var/lib/systemd/linger/"

// Linger warns where a login, or the lack of one, decides whether the runtime
// directory is there. systemd is its maker below /run/user, and nobody's elsewhere.
func Linger(dir string, u User) (Result, bool) {
	_, noSystemd := os.Stat("/run/systemd/system")
	if noSystemd != nil || u.Name == "" || u.UID == 0 || !strings.HasPrefix(dir, "/run/user/") {
		return Result{}, false
	}
	r := Result{Check: "linger", Detail: "on for " + u.Name}
	if _, err := os.Stat(lingering + u.Name); err != nil {
		r.Level, r.Detail = Warning, fmt.Sprintf("off for %s: %s goes with the last login, and running jobs with it", u.Name, dir)
		r.Hint = "as root, `loginctl enable-linger " + u.Name + "`"
	}
	return r, true
}
