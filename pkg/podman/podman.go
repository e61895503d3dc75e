// Package podman builds podman's command lines and runs them. It decides nothing: the caller
// knows what to run, from which image and with which mounts. It knows nothing of GitLab.
//
// # Command lines
//
// A command line is made by a struct with an Args method, such as [Create.Args], in one
// fixed order, with the image behind `--`. No secret is ever part of one.
//
// # Running podman
//
// A [Podman] is one program with its environment, which is built from scratch, see
// [Environment]. Its methods run one command each. [Timeouts] limit a command's time. A command
// that finds podman's database locked is retried. [Podman.Observe] is called after each
// command.
//
// # Answers
//
// podman is asked for single fields, with templates that print one JSON object per line,
// because what an image says about itself may have any size.
//
// # Errors
//
// A command that fails is an *[ExitError], one that took too long a *[TimeoutError]. podman
// exits with 125 for most failures, so functions such as [NoSuchContainer] and [PullRefused]
// look at its error message; the texts, and the versions in which they were seen, are in
// said.go.
package podman

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"podman-executor/internal/process"
)

// Path is the PATH that podman is looked up on, and that it gets.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Podman is one podman program and the environment that it runs in.
type Podman struct {
	// Program is the absolute path of podman.
	Program string
	// URL is the address of a podman service; empty for podman on this machine.
	URL string
	// Remote reports whether the service is on another machine, with other files; URL is
	// then a socket that is forwarded there.
	Remote bool
	// Env is podman's whole environment, NAME=value; see [Environment].
	Env []string
	// Timeouts bound its commands.
	Timeouts Timeouts
	// Observe, if not nil, is called after each command. The arguments hold no secrets, so they
	// may be logged.
	Observe func(Command)
}

// Command is one podman command that has ended.
type Command struct {
	Args     []string
	Duration time.Duration
	// Err is nil, a *[ExitError], or why podman could not be run.
	Err error
}

// Find returns the podman program: the given path, or podman on [Path] if it is empty. It
// refuses a program that its group or others can write to: whoever can replace podman decides
// what every job runs.
func Find(program string) (string, error) {
	if program == "" {
		program = "podman"
	} else if !filepath.IsAbs(program) {
		return "", fmt.Errorf("finding podman: %s is not an absolute path", program)
	}
	program, err := FindProgram(program)
	if err != nil {
		return "", fmt.Errorf("finding podman: %w", err)
	}
	return program, nil
}

// FindProgram is [Find] for another program: an absolute path, or a name to look up.
func FindProgram(program string) (string, error) {
	if !filepath.IsAbs(program) {
		var err error
		if program, err = process.LookPath(Path, program); err != nil {
			return "", err
		}
	}
	info, err := os.Stat(program)
	switch {
	case err != nil:
		return "", err
	case !process.IsProgram(info):
		return "", fmt.Errorf("%s is not an executable file", program)
	case info.Mode()&0o022 != 0:
		return "", fmt.Errorf("%s is writable by its group or by others (mode %#o)", program, info.Mode().Perm())
	}
	return program, nil
}

// Environment returns podman's environment, built from scratch: the caller's own holds the
// job's secrets, and may hold variables such as CONTAINERS_CONF or CONTAINER_HOST, which would
// change what podman does. No variable of a job is ever added: nobody can list all variables
// that the host's programs react to. Only HOME, USER, XDG_RUNTIME_DIR and the D-Bus address are
// taken over; extra variables, NAME=value, come last and win.
//
// TMPDIR is /var/tmp, podman's own default. podman unpacks image layers there, and the caller's
// TMPDIR may be private to it, or a small tmpfs.
func Environment(getenv func(string) string, uid int, extra []string) []string {
	runtimeDir := getenv("XDG_RUNTIME_DIR")
	if runtimeDir == "" && uid != 0 {
		if dir := fmt.Sprintf("/run/user/%d", uid); isDirectory(dir) {
			runtimeDir = dir
		}
	}
	bus := getenv("DBUS_SESSION_BUS_ADDRESS")
	if bus == "" && runtimeDir != "" {
		if socket := filepath.Join(runtimeDir, "bus"); isSocket(socket) {
			bus = "unix:path=" + socket
		}
	}
	env := []string{"PATH=" + Path, "TMPDIR=/var/tmp", "LC_ALL=C.UTF-8"}
	for _, v := range []struct{ name, value string }{
		{"HOME", getenv("HOME")},
		{"USER", getenv("USER")},
		{"XDG_RUNTIME_DIR", runtimeDir},
		{"DBUS_SESSION_BUS_ADDRESS", bus},
	} {
		if v.value != "" {
			env = append(env, v.name+"="+v.value)
		}
	}
	for _, v := range extra {
		name, _, _ := strings.Cut(v, "=")
		env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		env = append(env, v)
	}
	return env
}

// Getenv returns a variable of podman's environment.
func (p *Podman) Getenv(name string) string {
	for _, v := range p.Env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func isSocket(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().Type() == fs.ModeSocket
}
