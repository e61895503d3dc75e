package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"podman-executor/test/harness/slurm"
)

// controller is the host name and the cgroup of slurmctld and munged.
const controller = "controller"

// startTime is how long a part of the cluster may take until it works. Seen: a second.
const startTime = 40 * time.Second

// cluster is one Slurm and its daemons, by the name of their log files.
type cluster struct {
	host, dir string
	listener  net.Listener
	mu        sync.Mutex
	daemons   map[string]*daemon
}

func newCluster(host, dir string) *cluster {
	return &cluster{host: host, dir: dir, daemons: map[string]*daemon{}}
}

// start starts everything and waits until both nodes take jobs.
func (c *cluster) start(ctx context.Context) error {
	if err := c.write(); err != nil {
		return err
	}
	// podman's pause process holds the user's namespaces for all of its containers: it must not be one of a node's
	// processes, which are killed.
	if err := c.enter("podman", "unshare", "true").Run(); err != nil {
		return fmt.Errorf("starting podman's pause process: %w", err)
	}
	munge := []string{
		"munged", "--foreground", "--force", "--socket=" + c.path("munge.socket"), "--key-file=" + c.path("munge.key"),
		"--pid-file=" + c.path("munged.pid"), "--log-file=" + c.path("munged.out"), "--seed-file=" + c.path("munge.seed"),
	}
	if err := c.startDaemon("munged", controller, munge...); err != nil {
		return err
	}
	if err := wait(ctx, "munged's socket", func() bool { return exists(c.path("munge.socket")) }); err != nil {
		return err
	}
	if err := c.startDaemon("slurmctld", controller, "slurmctld", "-D", "-f", c.conf()); err != nil {
		return err
	}
	for _, node := range slurm.Nodes {
		if err := c.startDaemon(node, node, "slurmd", "-D", "-f", c.conf()); err != nil {
			return err
		}
	}
	for _, node := range slurm.Nodes {
		if err := c.waitNode(ctx, node); err != nil {
			return err
		}
	}
	return c.listen()
}

// write makes the directory with the key and the configuration.
func (c *cluster) write() error {
	ports, err := freePorts(1 + len(slurm.Nodes))
	if err != nil {
		return err
	}
	key := make([]byte, 128)
	_, _ = rand.Read(key)
	for _, name := range append([]string{"state"}, slurm.Nodes...) {
		if err := os.MkdirAll(c.path(name), 0o755); err != nil {
			return fmt.Errorf("making the cluster's directory: %w", err)
		}
	}
	return errors.Join(
		os.WriteFile(c.path("munge.key"), key, 0o600),
		os.WriteFile(c.conf(), []byte(configuration(c.dir, ports)), 0o644),
		os.WriteFile(c.path("cgroup.conf"), []byte(cgroupConf), 0o644),
	)
}

// clear ends what is left of this or an earlier cluster, and removes its directory.
func (c *cluster) clear() error {
	if c.listener != nil {
		_ = c.listener.Close()
	}
	var all []error
	for _, place := range append([]string{controller}, slurm.Nodes...) {
		all = append(all, c.killPlace(place))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.daemons {
		<-d.done
	}
	return errors.Join(append(all, c.removePlaces(), os.RemoveAll(c.dir))...)
}

// waitNode waits until slurmctld gives jobs to a node.
func (c *cluster) waitNode(ctx context.Context, node string) error {
	return wait(ctx, "node "+node, func() bool {
		state, _ := c.slurm("sinfo", "--noheader", "--nodes="+node, "--partition="+slurm.Main, "--format=%t")
		switch strings.TrimSpace(state) { // a * would say that the node does not answer
		case "idle", "mix", "alloc", "comp", "drain", "drng":
			return true
		}
		return false
	})
}

// slurm runs one of Slurm's commands as root, and returns its output.
func (c *cluster) slurm(command string, args ...string) (string, error) {
	cmd := exec.Command(command, args...)
	cmd.Env = append(os.Environ(), "SLURM_CONF="+c.conf())
	output, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return string(output), err
}

// logs returns the ends of the daemons' logs, as an error.
func (c *cluster) logs() error {
	var all []error
	for name := range c.daemons {
		text, err := os.ReadFile(logFile(c.dir, name))
		all = append(all, err, fmt.Errorf("the log of %s:\n%s", name, text[max(0, len(text)-2000):]))
	}
	return errors.Join(all...)
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *cluster) conf() string { return slurm.Cluster(c.dir).Conf() }

func exists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// wait waits until done says so.
func wait(ctx context.Context, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}
