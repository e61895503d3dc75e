package launch

import (
	"cmp"
	"context"
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
	"podman-executor/pkg/podman"
)

// The files of a batch job, in Launcher.Dir: the job script; what it gives to the
// container's standard input, until it has opened it; its output; and its end.
const (
	jobFile    = "job"
	inputFile  = "input"
	outputFile = "output"
	endFile    = "end"
)

// StopSignal is the job script's word to stop.
const StopSignal = "USR1"

// maxOutput bounds what a job's output takes on the file system that both sides see, in
// bytes. GitLab keeps 100 MiB of a job's log, unless its administrator wants more
// (the limit ci_jobs_trace_size_limit), and gitlab-runner 4 MiB (output_limit).
const maxOutput = 512 << 20

// jobScript is what sbatch gets. Its output goes through a pipe to one who writes as much
// as the file may have, by the shell's limit for that (in blocks of 512 bytes; "File too
// large" for who writes more), says so, and drops the rest: the script is not to end for
// it. Signals that are for the job do not end that one, and neither does the container's
// end where something else holds the pipe: it gets 5 s then. The container's standard input stays open after the
// script, as with an attached launcher: its end is the word to stop, which comes when
// the one who keeps it open is killed, by this shell, or by Slurm, which sends SIGTERM to
// all of the job's processes.
//
// sbatch takes lines that begin with #PBS or #BSUB for its options, wherever among the
// first 100 they stand (Slurm src/sbatch/opt.c, _opt_wrpr_batch_script). So the words of
// podman's command line, of which the job has chosen some, are one line: see [inScript].
const jobScript = `#!/bin/sh
n='
'
cd %[1]s && exec 3<` + inputFile + ` && rm -f ` + inputFile + ` && mkfifo -m 600 pipe said || exit 125
{
	trap '' TERM ` + StopSignal + ` XFSZ
	( ulimit -f %[3]d; exec cat ) >>` + outputFile + ` 2>/dev/null || {
		printf '\n%%s\n' '%[4]s' >>` + outputFile + `
		cat >/dev/null
	}
} <said 3<&- >/dev/null 2>&1 &
writer=$!
{ cat <&3; exec 3<&- sleep 2147483647; } >pipe &
feeder=$!
trap 'kill "$feeder"' TERM ` + StopSignal + `
exec 3<&-
%[2]s <pipe >said 2>&1 &
podman=$!
wait "$podman"
status=$?
while kill -s 0 "$podman" 2>/dev/null; do
	wait "$podman"
	status=$?
done
kill "$feeder" 2>/dev/null
tries=0
while kill -s 0 "$writer" 2>/dev/null && [ "$tries" -lt 50 ]; do
	tries=$((tries + 1))
	sleep 0.1 || sleep 1
done
rm -f pipe said
echo "$status" >` + endFile + `
exit "$status"
`

// Batch runs the step by `sbatch`, and copies what it writes while it runs. When ctx
// ends, tell is to send [StopSignal] to the job script, and cancel, where that was not
// enough, to end Slurm's job.
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

// endWithJob kills sbatch when the job has written its end: sbatch itself asks for it after
// 2 s, 8 s, and then every 32 s only (Slurm src/sbatch/sbatch.c, _job_wait).
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
	left := fmt.Sprintf("podman-executor: the rest of the output is dropped: it has more than %d bytes", limit)
	text := fmt.Sprintf(jobScript, inScript(l.Dir), strings.Join(words, " "), limit/512, left)
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

// lookEvery is how often the output of a batch job is looked at.
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

// inScript returns a word for the job script, without a line break: those of the word are
// the script's $n.
func inScript(word string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "\n", `'"$n"'`).Replace(word) + "'"
}
