package step

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"podman-executor/internal/shell"
)

// Host is how a step runs on the host, with step_script_only.
type Host struct {
	// Shell is what the script is for: POSIX, which bash runs, or PowerShell.
	Shell Shell
	// Dir is the working directory.
	Dir string
	// Open makes what the script writes writable for everybody, as in the runner
	// container. It is for a job whose user is not this one.
	Open bool
	// Clean is what is removed from Sources before the step.
	Clean   Clean
	Sources Sources
	// Env is the whole environment; the script exports the job's variables.
	Env            []string
	Stdout, Stderr io.Writer
	// Grace is how long the script may take to end after SIGTERM.
	Grace time.Duration
}

// HostScriptError is a script on the host that ended with a code other than 0.
type HostScriptError struct{ Code int }

func (e *HostScriptError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// ErrNoPowerShell is the error of a script for PowerShell on a host that has none.
var ErrNoPowerShell = errors.New("the script is for PowerShell, and the host has no program pwsh")

//go:embed host.sh
var hostFile string

// onHost takes a umask, the words of [Sources], and the command.
var onHost = cleanFunctions + shell.Program(hostFile)

// Run runs a script. When ctx ends, the script's process group gets SIGTERM, and SIGKILL after the grace
// period.
func (h Host) Run(ctx context.Context, script string) error {
	words := []string{"bash"}
	if h.Shell == PowerShell {
		if words = strings.Fields(pwsh); !h.has(words[0]) {
			return ErrNoPowerShell
		}
	}
	umask := "0022"
	if h.Open {
		umask = "0000"
	}
	cmd := exec.Command("bash", slices.Concat([]string{"-c", onHost, "bash", umask}, h.Sources.words(h.Clean), words, []string{script})...)
	// Never nil: os/exec would pass this program's own environment on.
	cmd.Dir, cmd.Env = h.Dir, append([]string{}, h.Env...)
	cmd.Stdout, cmd.Stderr = h.Stdout, h.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("running bash: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case err = <-done:
		case <-time.After(h.Grace):
		}
	}
	// Whatever the script left in its group ends with it.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &HostScriptError{Code: exitCode(exit)}
	}
	return err
}

// has reports whether a program is on the PATH of the script's environment.
func (h Host) has(program string) bool {
	for _, v := range h.Env {
		search, ok := strings.CutPrefix(v, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(search) {
			if info, err := os.Stat(filepath.Join(dir, program)); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return true
			}
		}
	}
	return false
}

// exitCode returns the code of a process, 128+n for signal n as shells do.
func exitCode(e *exec.ExitError) int {
	if status, ok := e.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return e.ExitCode()
}
