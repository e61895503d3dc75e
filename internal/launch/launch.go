// Package launch runs the podman command of one step behind a launcher, such as
// Slurm's srun, which may start it on another machine. The container reports to a
// directory that both sides see, by the shell program of [Command].
package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"podman-executor/internal/trust"
)

// Launcher is a launcher with a step's podman command.
type Launcher struct {
	// Program is an absolute path, Words its arguments up to podman's command line.
	Program string
	Words   []string
	// Podman is the program and the arguments of a `podman run` that reports to Dir.
	Podman []string
	// Env is the launcher's whole environment, NAME=value.
	Env []string
	// Dir is the directory of [Make].
	Dir string
	// Grace is how long the script may take to end after it was told to stop.
	Grace time.Duration

	// maxOutput bounds the output of a batch job, in bytes; 0 means the constant.
	maxOutput int
}

// reportDir is the directory in Dir that is mounted at [Report].
const reportDir = "report"

// ReportMount returns the mount of a job's container that reports to dir.
func ReportMount(dir string) string {
	return filepath.Join(dir, reportDir) + ":" + Report + ":z"
}

// Make makes the directory of one job below data_dir. Only this user can enter it; the
// directory for reports in it is open to every user, since the job's image may have any.
func Make(dataDir, dir string) error {
	owner := trust.Self()
	below, err := filepath.Rel(dataDir, filepath.Join(dir, reportDir))
	if err != nil {
		return fmt.Errorf("creating the directory of a launched step: %w", err)
	}
	if err := trust.MakeDir(dataDir, owner); err != nil {
		return fmt.Errorf("creating the directory of a launched step: %w", err)
	}
	report, err := trust.MakeOwn(dataDir, below, owner)
	if err != nil {
		return fmt.Errorf("creating the directory of a launched step: %w", err)
	}
	defer report.Close()
	if err := os.Chmod(trust.InHandle(report), 0o777); err != nil {
		return fmt.Errorf("creating the directory of a launched step: %w", err)
	}
	return nil
}

// Outcome is what is known about a step after its launcher has ended.
type Outcome struct {
	// Started means that the container ran, Reported that it has reported the script's exit
	// code, which is Status.
	Started, Reported bool
	Status            int
	// Launcher is the launcher's exit code, -1 if a signal ended it.
	Launcher int
	// Stderr is the end of what the launcher, podman and the script have written to
	// standard error.
	Stderr string
}

// forget removes an earlier step's report.
func (l Launcher) forget() error {
	for _, name := range []string{startedFile, statusFile} {
		if err := os.RemoveAll(filepath.Join(l.Dir, reportDir, name)); err != nil {
			return fmt.Errorf("removing what an earlier step has reported: %w", err)
		}
	}
	return nil
}

// report reads the container's report.
func (l Launcher) report(launcher int, said string) (Outcome, error) {
	o := Outcome{Launcher: launcher, Stderr: said}
	if _, err := os.Lstat(filepath.Join(l.Dir, reportDir, startedFile)); err == nil {
		o.Started = true
	}
	status, err := l.status()
	if errors.Is(err, os.ErrNotExist) {
		return o, nil
	}
	o.Reported, o.Status = err == nil, status
	return o, err
}

// status reads the script's exit code. The job can write to the directory, so the file may
// be anything.
func (l Launcher) status() (int, error) {
	f, err := os.OpenFile(filepath.Join(l.Dir, reportDir, statusFile), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	if err != nil {
		return 0, fmt.Errorf("reading the script's exit code: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, errors.New("reading the script's exit code: not a regular file")
	}
	// More than a code and a line break need.
	const most = 16
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return 0, fmt.Errorf("reading the script's exit code: %w", err)
	}
	code, err := strconv.Atoi(strings.TrimSuffix(string(text), "\n"))
	if err != nil || len(text) == most || code < 0 || code > 255 {
		return 0, fmt.Errorf("invalid exit code of a script: %q", text)
	}
	return code, nil
}

// maxStderr bounds Outcome.Stderr, in bytes.
const maxStderr = 4 << 10

// tail keeps the last maxStderr bytes written to it.
type tail struct{ text []byte }

// Write keeps the end of p.
func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p[max(0, len(p)-maxStderr):]...)
	t.text = t.text[max(0, len(t.text)-maxStderr):]
	return len(p), nil
}

const (
	// extraGrace is how much longer than its script a launcher may take before it is told to
	// end.
	extraGrace = time.Second
	// launcherGrace is how long a launcher may then take to end, and how long to wait for its
	// output.
	launcherGrace = 6 * time.Second
)
