package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// daemon is a process of the cluster; done is closed when it has ended.
type daemon struct {
	done chan struct{}
}

// ended tells whether the process is gone.
func (d *daemon) ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// enter returns a command that runs as the test user.
func (c *cluster) enter(command ...string) *exec.Cmd {
	return exec.Command(filepath.Join(c.host, "run"), command...)
}

// asRoot returns a command that runs as root where test/harness/host/run runs the test user's: podman works there in what it starts.
func (c *cluster) asRoot(command ...string) *exec.Cmd {
	return exec.Command(filepath.Join(c.host, "run"), append([]string{"--as-root"}, command...)...)
}

// placeDir sets dir to the cgroup that holds the cgroups of the cluster's places. Below the test user's own, so that its
// podman may move processes from here, but not the user's: podman makes none in it.
const placeDir = `dir=${PODMAN_EXECUTOR_TEST_CGROUP:+$PODMAN_EXECUTOR_TEST_CGROUP/session}
dir=${dir:-/sys/fs/cgroup}/podman-executor-slurm
`

// inPlaceScript runs a command in the cgroup of a place, $1, with that host name: slurmd is the node of its host's name, and
// Debian's cannot be told another (--enable-multiple-slurmd).
const inPlaceScript = placeDir + `mkdir -p "$dir/$1"
echo 0 >"$dir/$1/cgroup.procs"
name=$1
shift
exec unshare --uts -- sh -c 'hostname "$1"; shift; exec "$@"' sh "$name" "$@"
`

// killScript kills all that a place, $1, holds: daemons, jobs and their containers; and waits until it is empty.
const killScript = placeDir + `[ -d "$dir/$1" ] || exit 0
echo 1 >"$dir/$1/cgroup.kill"
tries=0
while grep -q '^populated 1' "$dir/$1/cgroup.events"; do
	tries=$((tries + 1))
	[ "$tries" -lt 100 ]
	sleep 0.1
done
`

const removeScript = placeDir + `[ ! -d "$dir" ] || find "$dir" -depth -type d -exec rmdir {} \;
`

// startDaemon starts a daemon in a place; its output goes to the log of its name. The kernel kills it when slurm-cluster
// dies: all commands on the way to it keep their process.
func (c *cluster) startDaemon(name, place string, command ...string) error {
	log, err := os.OpenFile(logFile(c.dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	defer func() { _ = log.Close() }()
	cmd := c.asRoot(append([]string{"sh", "-euc", inPlaceScript, "sh", place}, command...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	d := &daemon{done: make(chan struct{})}
	c.mu.Lock()
	c.daemons[name] = d
	c.mu.Unlock()
	go func() {
		_ = cmd.Wait()
		close(d.done)
	}()
	return nil
}

// killPlace ends everything in a place.
func (c *cluster) killPlace(place string) error {
	return c.shell("killing what runs on "+place, killScript, place)
}

// removePlaces removes the cgroups of the places, which are empty.
func (c *cluster) removePlaces() error { return c.shell("removing the nodes' cgroups", removeScript) }

func (c *cluster) shell(doing, script string, args ...string) error {
	if output, err := c.asRoot(append([]string{"sh", "-euc", script, "sh"}, args...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", doing, err, output)
	}
	return nil
}
