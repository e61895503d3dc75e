package preflight

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Modes of access(2).
const (
	enter = 1
	write = 2
)

// Home checks the home directory that podman gets: its storage and its configuration are there.
// passwd is the directory that the machine has for the user; empty if it has none.
func Home(dir, passwd string, u User) (Result, bool) {
	r := Result{Check: homeCheck, Level: Error, Hint: setHome(u, passwd)}
	switch {
	case dir == "":
		r.Detail = "HOME is not set: podman does not find its storage and its configuration"
	case !filepath.IsAbs(dir):
		r.Detail = fmt.Sprintf("HOME is %q, which is not an absolute path", dir)
	case syscall.Access(dir, write|enter) != nil:
		r.Detail = fmt.Sprintf("HOME is %s, which does not exist, or which %s cannot write to", dir, u)
	default:
		return Result{}, false
	}
	return r, true
}

const homeCheck = "HOME"

func setHome(u User, passwd string) string {
	hint := "set HOME in gitlab-runner's environment (its service, its supervisor, or sudo -H) to the home directory of " + u.String()
	if passwd != "" {
		hint += ", " + passwd
	}
	return hint
}

// OtherHome warns of a home directory that is not the one that the machine has for the user.
func OtherHome(dir string, u User) (Result, bool) {
	passwd := passwdHome(u)
	if passwd == "" || passwd == dir {
		return Result{}, false
	}
	return Result{
		Check: homeCheck, Level: Warning,
		Detail: fmt.Sprintf("HOME is %s, but the home directory of %s is %s: podman in a login shell has another storage than jobs", dir, u, passwd),
		Hint:   setHome(u, passwd),
	}, true
}

// passwdHome returns a user's home directory by passwd(5); empty if the machine has none.
func passwdHome(u User) string {
	found, err := user.LookupId(strconv.Itoa(u.UID))
	if err != nil {
		return ""
	}
	return found.HomeDir
}

// NoNewPrivileges checks that newuidmap may still change users. status is the text of
// /proc/self/status; paused tells that a podman of this user has made the user namespace before.
// It does not matter without ranges of ids.
func NoNewPrivileges(status string, paused bool) (Result, bool) {
	if !strings.Contains(status, "\nNoNewPrivs:\t1\n") {
		return Result{}, false
	}
	r := Result{
		Check: "privileges", Level: Error,
		Detail: "gitlab-runner runs with no_new_privs, so newuidmap cannot make podman's user namespace",
		Hint:   "remove NoNewPrivileges=yes, and settings that imply it, from gitlab-runner's unit (systemd.exec(5)), or setpriv --no-new-privs from its command",
	}
	if paused {
		r.Level = Warning
		r.Detail += "; jobs use the one that an earlier podman has made, until the next restart of the machine"
	}
	return r, true
}

// paused reports whether podman's user namespace is kept by a process of an earlier podman
// (libpod/define/config.go, pause.pid).
func paused(runtimeDir string) bool {
	text, err := os.ReadFile(filepath.Join(runtimeDir, "libpod", "tmp", "pause.pid"))
	if err != nil {
		return false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return err == nil && pid > 1 && syscall.Kill(pid, 0) == nil
}

// PullPolicy checks that podman finds a policy.json: without one it pulls no image
// (containers-policy.json(5)).
func PullPolicy(home, etc string) (Result, bool) {
	own := filepath.Join(home, ".config", "containers", "policy.json")
	for _, name := range []string{own, etc} {
		if _, err := os.Stat(name); err == nil {
			return Result{}, false
		}
	}
	return Result{
		Check: "policy.json", Level: Warning,
		Detail: fmt.Sprintf("neither %s nor %s exists: podman pulls no image", etc, own),
		Hint:   "bring it back (Debian: `apt install --reinstall -o Dpkg::Options::=--force-confmiss golang-github-containers-common`, Fedora: `dnf reinstall containers-common`), or write it: " + `{"default": [{"type": "insecureAcceptAnything"}]}`,
	}, true
}

// Keys checks the kernel's keys of a user: each container has a keyring of its own. text is that of
// /proc/key-users.
func Keys(text string, u User) (Result, bool) {
	for line := range strings.Lines(text) {
		var uid, usage, keys, instantiated, used, most int
		if n, _ := fmt.Sscanf(line, "%d: %d %d/%d %d/%d", &uid, &usage, &keys, &instantiated, &used, &most); n != 6 || uid != u.UID || uid == 0 {
			continue
		}
		if used*5 < most*4 {
			return Result{}, false
		}
		return Result{
			Check: "kernel keys", Level: Warning,
			Detail: fmt.Sprintf("%d of the %d keys of %s are in use: each container needs one, and without one it fails with \"Disk quota exceeded\"", used, most, u),
			Hint:   "raise kernel.keys.maxkeys (sysctl.d(5)), or set keyring = false under [containers] in containers.conf",
		}, true
	}
	return Result{}, false
}

// TempDir checks the directory in which podman unpacks what it pulls.
func TempDir(dir string) (Result, bool) {
	if syscall.Access(dir, write|enter) == nil {
		return Result{}, false
	}
	return Result{
		Check: dir, Level: Error,
		Detail: dir + ", where podman unpacks the layers of images, does not exist or cannot be written to",
		Hint:   "as root, run `install -d -m 1777 " + dir + "`",
	}, true
}
