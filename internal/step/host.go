package step

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"podman-executor/internal/process"
	"podman-executor/internal/shell"
)

// Host is how a step runs on the host, with step_script_only.
type Host struct {
	// Shell is what the script is for: POSIX, which bash runs, or PowerShell.
	Shell Shell
	// Dir is the working directory.
	Dir string
	// Open makes what the script writes writable for everybody, as in the runner container. It
	// is for a job whose user is not this user.
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

// HostScriptError is the error of a script on the host that ended with a code other than 0.
type HostScriptError struct{ Code int }

func (e *HostScriptError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// ErrNoPowerShell is the error of a script for PowerShell on a host that has none.
var ErrNoPowerShell = errors.New("the script is for PowerShell, and the host has no pwsh")

//go:embed host.sh
var hostFile string

// onHost takes a umask, the words of [Sources], and the command.
var onHost = cleanFunctions + shell.Program(hostFile)

// Run runs a script. When ctx ends, the script's process group gets SIGTERM, and SIGKILL after the grace
// period.
func (h Host) Run(ctx context.Context, script string) error {
	words := []string{"bash"}
	if h.Shell == PowerShell {
		if words = strings.Fields(pwsh); !process.OnPath(h.Env, words[0]) {
			return ErrNoPowerShell
		}
	}
	umask := "0022"
	if h.Open {
		umask = "0000"
	}
	cmd := exec.Command("bash", slices.Concat([]string{"-c", onHost, "bash", umask}, h.Sources.words(h.Clean), words, []string{script})...)
	// Never nil: os/exec would pass on this program's own environment.
	cmd.Dir, cmd.Env = h.Dir, append([]string{}, h.Env...)
	cmd.Stdout, cmd.Stderr = h.Stdout, h.Stderr
	group, err := process.Start(cmd)
	if err != nil {
		return fmt.Errorf("running bash: %w", err)
	}
	err = group.Wait(ctx, process.Stop{Do: group.Terminate}, process.Stop{After: h.Grace, Do: group.Kill})
	// Whatever the script left in its group ends with it.
	group.Kill()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &HostScriptError{Code: exitCode(exit)}
	}
	return err
}

// exitCode returns the code of a process, 128+n for signal n as shells do.
func exitCode(e *exec.ExitError) int {
	if status, ok := e.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return e.ExitCode()
}
