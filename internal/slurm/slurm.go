// Package slurm queries and controls Slurm's jobs with Slurm's own commands.
package slurm

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"podman-executor/internal/process"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
)

// Slurm is Slurm's commands.
type Slurm struct {
	// Program finds a command.
	Program func(name string) (string, error)
	// Env is the commands' whole environment, NAME=value.
	Env []string
}

// Beside returns the commands next to a launcher, an absolute path, because a site may have its
// Slurm anywhere. A command that is not there is looked up on podman.Path.
func Beside(launcher string, env []string) Slurm {
	return Slurm{Env: env, Program: func(name string) (string, error) {
		program, err := podman.FindProgram(filepath.Join(filepath.Dir(launcher), name))
		if err != nil {
			program, err = podman.FindProgram(name)
		}
		if err == nil {
			err = trust.Path(program, trust.Self())
		}
		return program, err
	}}
}

// Job is what Slurm knows of one job.
type Job struct {
	ID int64
	// State is Slurm's word (squeue(1), JOB STATE CODES), such as "PENDING"; Reason is why it
	// is in that state, or "None"; Nodes are those that it runs on.
	State, Reason, Nodes string
}

// commandTime is how long one of Slurm's commands may take.
const commandTime = 10 * time.Second

// squeueFormat is what [parse] reads; the working directory is last, since it may contain any
// character.
const squeueFormat = "%i|%T|%N|%r|%Z"

// ChdirOption returns the option of srun and sbatch for the working directory, by which a job
// is found. The job's name will not do, because authors may set it.
func ChdirOption(dir string) string { return "--chdir=" + dir }

// Find returns the latest job of this user that has a working directory, as long as Slurm's
// controller remembers it (slurm.conf MinJobAge, five minutes after its end).
//
// The controller sends all of the user's jobs for this: see [Slurm.Get].
func (s Slurm) Find(ctx context.Context, dir string) (job Job, found bool, err error) {
	jobs, err := s.squeue(ctx, func(line string) bool { return strings.HasSuffix(line, "|"+dir) }, "--me")
	for _, j := range jobs {
		if j.dir == dir && (!found || j.ID > job.ID) {
			job, found = j.Job, true
		}
	}
	return job, found, err
}

// Get returns a job by its id. One that the controller does not remember is an error.
//
// The controller sends that job alone (Slurm 22.05 src/squeue/squeue.c, _get_info): if a user
// has a thousand jobs in the queue, that costs a small fraction of [Slurm.Find], see
// docs/clusters.md.
func (s Slurm) Get(ctx context.Context, id int64) (Job, error) {
	number := strconv.FormatInt(id, 10)
	jobs, err := s.squeue(ctx, func(string) bool { return true }, "--jobs="+number)
	if err == nil && len(jobs) != 1 {
		err = fmt.Errorf("squeue: %d lines on job %s", len(jobs), number)
	}
	if err != nil {
		return Job{}, err
	}
	return jobs[0].Job, nil
}

// listed is a job with its working directory.
type listed struct {
	Job
	dir string
}

// squeue returns the selected jobs, from the lines that are wanted. Other lines may be job
// arrays, whose ids have another form.
func (s Slurm) squeue(ctx context.Context, wanted func(line string) bool, which ...string) (jobs []listed, err error) {
	out, err := s.output(ctx, "squeue", append(which, "--noheader", "--states=all", "--format="+squeueFormat)...)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if !wanted(line) {
			continue
		}
		j, err := parse(line)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// Cancel ends the latest job of this user that has a working directory. It is not an error if
// the job is over or never existed.
func (s Slurm) Cancel(ctx context.Context, dir string) error {
	job, found, err := s.Find(ctx, dir)
	if err != nil || !found || !job.Going() && !job.Waiting() {
		return err
	}
	_, err = s.output(ctx, "scancel", "--quiet", strconv.FormatInt(job.ID, 10))
	return err
}

// Signal sends a signal to the batch script of the latest job of this user that has a working
// directory; a waiting job is cancelled.
func (s Slurm) Signal(ctx context.Context, dir, signal string) error {
	job, found, err := s.Find(ctx, dir)
	switch {
	case err != nil || !found:
		return err
	case job.Waiting():
		_, err = s.output(ctx, "scancel", "--quiet", strconv.FormatInt(job.ID, 10))
	case job.Going():
		_, err = s.output(ctx, "scancel", "--quiet", "--batch", "--signal="+signal, strconv.FormatInt(job.ID, 10))
	}
	return err
}

func parse(line string) (listed, error) {
	fields := strings.SplitN(line, "|", 5)
	if len(fields) != 5 {
		return listed{}, fmt.Errorf("squeue: unexpected line %q", line)
	}
	id, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return listed{}, fmt.Errorf("squeue: unexpected job id %q", fields[0])
	}
	return listed{Job{ID: id, State: fields[1], Nodes: fields[2], Reason: fields[3]}, fields[4]}, nil
}

// output runs one of Slurm's commands.
func (s Slurm) output(ctx context.Context, name string, args ...string) (string, error) {
	program, err := s.Program(name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = "/", append([]string{}, s.Env...)
	cmd.WaitDelay = time.Second
	process.OwnGroup(cmd)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.Join(strings.Fields(string(exit.Stderr)), " "))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(out), nil
}

// Waiting reports whether the job has not begun yet.
func (j Job) Waiting() bool {
	switch j.State {
	case "PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT":
		return true
	}
	return false
}

// Going reports whether the job runs or is just ending, so that its last state is not known
// yet.
func (j Job) Going() bool {
	switch j.State {
	case "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "RESIZING", "STAGE_OUT":
		return true
	}
	return false
}

// ends are the states of jobs that Slurm itself has ended, with a word for each.
var ends = map[string]string{
	"BOOT_FAIL":     "its node did not start",
	"CANCELLED":     "it was cancelled",
	"DEADLINE":      "it reached its deadline",
	"NODE_FAIL":     "a node failed",
	"OUT_OF_MEMORY": "it used more memory than it was given",
	"PREEMPTED":     "it was preempted",
	"REVOKED":       "it was revoked",
	"TIMEOUT":       "it reached its time limit",
}

// EndedBySlurm returns why Slurm itself has ended the job; empty if it did not.
func (j Job) EndedBySlurm() string { return ends[j.State] }

// String returns the job in the words of squeue, for one line of a job log.
func (j Job) String() string {
	text := fmt.Sprintf("Slurm job %d is %s", j.ID, j.State)
	if j.Waiting() && j.Reason != "" && j.Reason != "None" {
		return text + " (" + j.Reason + ")"
	}
	if j.Nodes != "" {
		return text + " on " + j.Nodes
	}
	return text
}
