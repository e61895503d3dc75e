package step

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"podman-executor/internal/process"
)

// Host is how a step runs on the host, with step_script_only.
type Host struct {
	// Shell is what the script is for: POSIX, which bash runs, or PowerShell.
	Shell Shell
	// Dir is the working directory.
	Dir string
	// Open makes what the script writes writable for everybody, as in the runner
	// container: where the job's user is another than this one.
	Open bool
	// Clean is what is taken away of Sources before.
	Clean   Clean
	Sources Sources
	// Env is the whole environment; the script exports the job's variables.
	Env            []string
	Stdout, Stderr io.Writer
	// Grace is how long the script may take to end after SIGTERM.
	Grace time.Duration
}

// ExitError is a script on the host that ended with a code other than 0.
type ExitError struct{ Code int }

func (e *ExitError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// ErrNoPowerShell is a host without PowerShell, for a script that needs it.
var ErrNoPowerShell = errors.New("the script is for PowerShell, and the host has no program pwsh")

// onHost runs the rest of its arguments: those before are a umask, and [Sources.words]. git
// takes nobody else's repository here, and no program from the job's own for a look at files.
// Where everybody has to write, a job of another image may have left what only this user can.
const onHost = cleanFunctions + `umask=$1 clean=$2 root=$3 project=$4
shift 4
[ ! "$clean" ] || clean_or_say "$clean" "$root" "$project" || exit 1
export GIT_CEILING_DIRECTORIES="${project%/*}"
[ "$GIT_CONFIG_COUNT" ] || export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.fsmonitor GIT_CONFIG_VALUE_0=false
umask "$umask"
case $umask,$clean in
0000,git | 0000,modules) chmod -R a+rwX "$project" 2>/dev/null ;;
esac
exec "$@" </dev/null`

// Run runs a script. When ctx ends, the script's process group gets SIGTERM, and SIGKILL after the grace
// period.
func (h Host) Run(ctx context.Context, script string) error {
	shell := []string{"bash"}
	if h.Shell == PowerShell {
		if shell = strings.Fields(pwsh); !h.has(shell[0]) {
			return ErrNoPowerShell
		}
	}
	umask := "0022"
	if h.Open {
		umask = "0000"
	}
	cmd := exec.Command("bash", slices.Concat([]string{"-c", onHost, "bash", umask}, h.Sources.words(h.Clean), shell, []string{script})...)
	// Never nil: os/exec would pass this program's own environment on.
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
		return &ExitError{Code: exitCode(exit)}
	}
	return err
}

// has tells whether a program is on the PATH of the script's environment.
func (h Host) has(program string) bool {
	for _, v := range h.Env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			if _, err := process.LookPath(path, program); err == nil {
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
