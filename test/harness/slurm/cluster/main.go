// Command slurm-cluster runs a command beside a real Slurm: munged, slurmctld and two nodes, each a slurmd with a host name
// of its own, all on this machine's loopback.
//
//	slurm-cluster --host test/harness/host COMMAND [ARG...]
//
// Root runs it. The nodes' processes are where test/harness/host/run starts its own, so that the test user's podman works in jobs.
// COMMAND runs as root, where slurm-cluster runs, with SLURM_CONF and PODMAN_EXECUTOR_SLURM in its environment: it is to go
// on to the test user by test/scripts/staged. The exit status is COMMAND's, or 125 when it never ran. When COMMAND has ended, when
// SIGTERM or SIGINT has ended it, and when the next slurm-cluster starts after this one was killed, nothing of the cluster is
// left. A second slurm-cluster waits for the first.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"podman-executor/test/harness/slurm"
)

const (
	// dir is short and fixed, so that the next call finds what a killed one has left.
	dir = "/run/podman-executor-slurm"
	// neverRan is the exit status for "COMMAND never ran", as of test/harness/host/run.
	neverRan = 125
	// grace is how long COMMAND may take to end after a signal.
	grace = 20 * time.Second
)

func main() {
	host := flag.String("host", "test/harness/host", "the directory test/harness/host")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: slurm-cluster [--host DIR] COMMAND [ARG...]")
		os.Exit(neverRan)
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "slurm-cluster: leaving out the tests of Slurm: slurmd needs root, to start jobs as users")
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	status, err := run(ctx, *host, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "slurm-cluster: error:", err)
	}
	os.Exit(status)
}

// run starts the cluster, runs the command and removes the cluster. It returns the exit status.
func run(ctx context.Context, host string, command []string) (status int, err error) {
	lock, err := takeLock(ctx, dir+".lock")
	if err != nil {
		return neverRan, err
	}
	defer func() { _ = lock.Close() }()
	c := newCluster(host, dir)
	if err := c.clear(); err != nil {
		return neverRan, err
	}
	defer func() { err = errors.Join(err, c.clear()) }()
	if err := c.start(ctx); err != nil {
		return neverRan, errors.Join(err, c.logs())
	}
	environment := append(os.Environ(), "SLURM_CONF="+slurm.Cluster(dir).Conf(), slurm.Variable+"="+dir)
	return runCommand(ctx, command, environment)
}

// takeLock waits until no other slurm-cluster runs.
func takeLock(ctx context.Context, name string) (*os.File, error) {
	lock, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("waiting for another cluster: %w", err)
	}
	for said := false; ; said = true {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return lock, nil
		}
		if !said {
			fmt.Fprintln(os.Stderr, "slurm-cluster: waiting for the end of another cluster on this machine")
		}
		select {
		case <-ctx.Done():
			_ = lock.Close()
			return nil, fmt.Errorf("waiting for another cluster: %w", context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// runCommand runs the command in a process group of its own: a signal reaches all of it, and its end is waited for.
func runCommand(ctx context.Context, command, environment []string) (int, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = environment
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return neverRan, err
	}
	err := cmd.Wait()
	if ctx.Err() != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		return neverRan, fmt.Errorf("running %s: %w", command[0], context.Cause(ctx))
	}
	var exit *exec.ExitError
	if err == nil || errors.As(err, &exit) {
		return exitStatus(cmd.ProcessState), nil
	}
	return neverRan, err
}

// exitStatus is the status as a shell has it.
func exitStatus(state *os.ProcessState) int {
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return state.ExitCode()
}
