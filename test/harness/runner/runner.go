// Package runner runs a real gitlab-runner that is configured for the driver, as
// an administrator would configure it.
package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Config says how to run a gitlab-runner.
type Config struct {
	// Program is the gitlab-runner, Driver the directory of the four programs.
	Program, Driver string
	// URL and Token are the coordinator's.
	URL, Token string
	// Dir gets config.toml, the policy, the logs and the runner's TMPDIR.
	Dir string
	// Policy is the text of the policy file; empty: no such file.
	Policy string
	// Concurrent is the number of jobs at a time; 0 means 1.
	Concurrent int
	// Wrapper, if not empty, is a command that runs Program: one that watches it.
	Wrapper []string
	// Environment has further variables of the runner, NAME=VALUE.
	Environment []string
	// Text, where set, returns another config.toml than the usual one.
	Text func(Config) string
}

// Runner is a gitlab-runner process.
type Runner struct {
	config Config
	cmd    *exec.Cmd
	done   chan struct{}
	log    *syncBuffer
}

const config = `concurrent = %[1]d
check_interval = 1
log_level = "debug"
shutdown_timeout = 30

[[runners]]
  name = "podman-executor"
  url = %[2]q
  token = %[3]q
  executor = "custom"
  shell = "bash"
  request_concurrency = %[1]d
  [runners.feature_flags]
    FF_TIMESTAMPS = false
  [runners.custom]
    config_exec = %[4]q
    config_args = ["--policy", %[8]q]
    prepare_exec = %[5]q
    prepare_args = ["--policy", %[8]q]
    run_exec = %[6]q
    cleanup_exec = %[7]q
    graceful_kill_timeout = 60
    force_kill_timeout = 10
`

// Start writes the configuration and starts the runner.
func Start(c Config) (*Runner, error) {
	for _, dir := range []string{c.Dir, filepath.Join(c.Dir, "tmp")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("starting gitlab-runner: %w", err)
		}
	}
	if c.Text == nil {
		c.Text = Usual
	}
	if err := os.WriteFile(filepath.Join(c.Dir, "config.toml"), []byte(c.Text(c)), 0o600); err != nil {
		return nil, fmt.Errorf("starting gitlab-runner: %w", err)
	}
	if c.Policy != "" {
		if err := os.WriteFile(policyFile(c.Dir), []byte(c.Policy), 0o600); err != nil {
			return nil, fmt.Errorf("starting gitlab-runner: %w", err)
		}
	}
	r := &Runner{config: c, log: &syncBuffer{}}
	return r, r.start()
}

// Usual returns the config.toml of most tests; it ends in the section of the custom executor.
func Usual(c Config) string {
	program := func(stage string) string { return filepath.Join(c.Driver, "podman-executor-"+stage) }
	return fmt.Sprintf(config, max(c.Concurrent, 1), c.URL, c.Token,
		program("config"), program("prepare"), program("run"), program("cleanup"), policyFile(c.Dir))
}

func policyFile(dir string) string { return filepath.Join(dir, "policy.toml") }

// start starts the process. Its environment is small and clean, since the
// runner takes options from there, and hands it to the driver.
func (r *Runner) start() error {
	command := append(slices.Clone(r.config.Wrapper), r.config.Program, "run", "--config", filepath.Join(r.config.Dir, "config.toml"))
	r.cmd = exec.Command(command[0], command[1:]...)
	r.cmd.Dir = r.config.Dir
	r.cmd.Env = []string{
		"PATH=" + filepath.Dir(r.config.Program) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TMPDIR=" + r.TempDir(),
	}
	for _, name := range []string{"HOME", "USER", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"} {
		if value, ok := os.LookupEnv(name); ok {
			r.cmd.Env = append(r.cmd.Env, name+"="+value)
		}
	}
	r.cmd.Env = append(r.cmd.Env, r.config.Environment...)
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A job's processes may hold the log after the runner was killed.
	r.cmd.WaitDelay = time.Second
	if err := r.cmd.Start(); err != nil {
		return fmt.Errorf("starting gitlab-runner: %w", err)
	}
	done := make(chan struct{})
	r.done = done
	go func() {
		_ = r.cmd.Wait()
		close(done)
	}()
	return nil
}

// TempDir is the runner's TMPDIR: empty when no job is under way.
func (r *Runner) TempDir() string { return filepath.Join(r.config.Dir, "tmp") }

// PID is the process id of the runner, or of its wrapper.
func (r *Runner) PID() int { return r.cmd.Process.Pid }

// Log is what the runner has logged so far, of all of its starts.
func (r *Runner) Log() string { return r.log.String() }

// SetPolicy replaces the policy file.
func (r *Runner) SetPolicy(text string) error {
	return os.WriteFile(policyFile(r.config.Dir), []byte(text), 0o600)
}

// Signal sends a signal to the runner process.
func (r *Runner) Signal(s syscall.Signal) error { return r.cmd.Process.Signal(s) }

// Kill kills the runner with SIGKILL, as a machine's OOM killer would, and
// waits for its end. Its jobs get no cleanup.
func (r *Runner) Kill() {
	_ = r.cmd.Process.Kill()
	<-r.done
}

// Restart starts the runner again with the same configuration.
func (r *Runner) Restart() error {
	<-r.done
	return r.start()
}

// Wait waits until the runner ends by itself, and returns its exit status.
func (r *Runner) Wait(ctx context.Context) (int, error) {
	select {
	case <-r.done:
		return r.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("waiting for the end of gitlab-runner: %w", context.Cause(ctx))
	}
}

// Stop tells the runner to abort its jobs and waits for its end.
func (r *Runner) Stop(ctx context.Context) error {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping gitlab-runner: %w", err)
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		r.Kill()
		return fmt.Errorf("stopping gitlab-runner %s: it did not end: %w", strconv.Itoa(r.PID()), context.Cause(ctx))
	}
}

// syncBuffer is a buffer that the runner writes while a test reads.
type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
