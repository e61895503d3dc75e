package launch

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"podman-executor/internal/process"
	"podman-executor/internal/shell"
	"podman-executor/pkg/podman"
)

// The files of a batch job, in Launcher.Dir, as batch.sh names them: the job script; the
// container's standard input, until the job script has opened it; its output; and its end.
const (
	jobFile    = "job"
	inputFile  = "input"
	outputFile = "output"
	endFile    = "end"
)

// StopSignal makes the job script tell the step's script to stop.
const StopSignal = "USR1"

// maxOutput bounds a job's output on the shared file system, in bytes. GitLab keeps 100 MiB of
// a job's log, unless its administrator wants more (the limit ci_jobs_trace_size_limit), and
// gitlab-runner 4 MiB (output_limit).
const maxOutput = 512 << 20

//go:embed batch.sh
var batchFile string

// Batch runs the step with `sbatch`, and copies its output while it runs. When ctx ends it
// calls tell, which must send [StopSignal] to the job script. If that is not enough it calls
// cancel, which must cancel Slurm's job.
func (l Launcher) Batch(ctx context.Context, s podman.Streams, tell, cancel func()) (Outcome, error) {
	output, err := l.writeJob(s.Stdin)
	if err != nil {
		return Outcome{}, err
	}
	defer output.Close()
	defer l.removeJob()
	words := slices.Concat(l.Words, []string{
		"--wait", "--ignore-pbs", "--input=/dev/null", "--output=/dev/null", "--open-mode=append", filepath.Join(l.Dir, jobFile),
	})
	cmd := exec.Command(l.Program, words...)
	cmd.Dir, cmd.Env = l.Dir, append([]string{"SBATCH_IGNORE_PBS=1"}, l.Env...)
	said := &tail{}
	cmd.Stderr = io.MultiWriter(s.Stderr, said)
	cmd.WaitDelay = launcherGrace
	group, err := process.Start(cmd)
	if err != nil {
		return Outcome{}, fmt.Errorf("running the launcher: %w", err)
	}
	follow := make(chan struct{})
	go func() {
		defer close(follow)
		l.follow(output, s.Stdout, group.Ended())
	}()
	go l.endWithJob(cmd, group.Ended())
	err = group.Wait(ctx,
		process.Stop{Do: tell},
		process.Stop{After: l.Grace + extraGrace, Do: cancel},
		process.Stop{After: launcherGrace, Do: group.Kill})
	<-follow
	if ctx.Err() != nil {
		return Outcome{}, ctx.Err()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Outcome{}, fmt.Errorf("running the launcher: %w", err)
	}
	code := cmd.ProcessState.ExitCode()
	if text, err := os.ReadFile(filepath.Join(l.Dir, endFile)); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			code = n
		}
	}
	return l.report(code, string(said.text))
}

// endWithJob kills sbatch when the job has written its end: sbatch itself only polls after 2 s,
// 8 s, and then every 32 s (Slurm src/sbatch/sbatch.c, _job_wait).
func (l Launcher) endWithJob(cmd *exec.Cmd, ended <-chan struct{}) {
	for {
		if _, err := os.Lstat(filepath.Join(l.Dir, endFile)); err == nil {
			_ = cmd.Process.Signal(syscall.SIGKILL)
			return
		}
		select {
		case <-ended:
			return
		case <-time.After(lookEvery):
		}
	}
}

// writeJob writes what the job needs, and opens its output.
func (l Launcher) writeJob(stdin io.Reader) (*os.File, error) {
	l.removeJob()
	if err := l.forget(); err != nil {
		return nil, err
	}
	input, err := io.ReadAll(stdin)
	if err != nil {
		return nil, fmt.Errorf("reading the script: %w", err)
	}
	words := make([]string, len(l.Podman))
	for i, w := range l.Podman {
		words[i] = inScript(w)
	}
	limit := cmp.Or(l.maxOutput, maxOutput)
	left := fmt.Sprintf("podman-executor: the output is larger than %d bytes; the rest is dropped", limit)
	text := shell.Program(batchFile, "@DIR@", inScript(l.Dir), "@PODMAN@", strings.Join(words, " "), "@BLOCKS@", strconv.Itoa(limit/512), "@DROPPED@", left)
	for _, f := range []struct {
		name string
		text []byte
		mode os.FileMode
	}{{inputFile, input, 0o600}, {outputFile, nil, 0o600}, {jobFile, []byte(text), 0o700}} {
		if err := os.WriteFile(filepath.Join(l.Dir, f.name), f.text, f.mode); err != nil {
			return nil, fmt.Errorf("writing the job for Slurm: %w", err)
		}
	}
	output, err := os.Open(filepath.Join(l.Dir, outputFile))
	if err != nil {
		return nil, fmt.Errorf("writing the job for Slurm: %w", err)
	}
	return output, nil
}

// removeJob removes the files of a batch job.
func (l Launcher) removeJob() {
	for _, name := range []string{inputFile, outputFile, jobFile, endFile, "pipe", "said"} {
		_ = os.Remove(filepath.Join(l.Dir, name))
	}
}

// lookEvery is how often the output of a batch job is polled.
const lookEvery = 200 * time.Millisecond

// follow copies what is appended to a file until done, and then what is there.
func (l Launcher) follow(output io.Reader, to io.Writer, done <-chan struct{}) {
	for last := false; ; {
		if _, err := io.Copy(to, output); err != nil || last {
			return
		}
		select {
		case <-done:
			last = true
		case <-time.After(lookEvery):
		}
	}
}

// inScript quotes a word for the job script, in one line: a line break in it becomes the
// script's $n.
func inScript(word string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "\n", `'"$n"'`).Replace(word) + "'"
}
