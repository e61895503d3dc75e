package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"podman-executor/internal/slurm"
)

// names of the jobs: the one that holds the nodes, and those that wait.
const (
	holder = "load-holder"
	waiter = "load-waiter"
)

// startTime is how long the nodes may take to be free, or the jobs to be in the queue.
const startTime = 3 * time.Minute

// queue is the jobs of this program.
type queue struct {
	slurm    slurm.Slurm
	commands []*exec.Cmd
	stop     context.CancelFunc
	watches  sync.WaitGroup
	calls    atomic.Int64 // of squeue, by watches
	// gone are the last states that watches have told which have ended before they were to.
	mu   sync.Mutex
	gone []string
}

func newQueue() *queue {
	q := &queue{stop: func() {}}
	q.slurm = slurm.Slurm{Env: os.Environ(), Program: func(name string) (string, error) {
		q.calls.Add(1)
		return exec.LookPath(name)
	}}
	return q
}

// plain is Slurm without the count.
func (q *queue) plain() slurm.Slurm { return slurm.Slurm{Env: q.slurm.Env, Program: exec.LookPath} }

// hold takes both nodes.
func (q *queue) hold(ctx context.Context) error {
	if err := q.begin("srun", "--quiet", slurm.ChdirOption(dir(holder)), "--nodes=2", "--exclusive", "sleep", "3600"); err != nil {
		return err
	}
	for end := time.Now().Add(startTime); time.Now().Before(end); {
		if job, found, err := q.plain().Find(ctx, dir(holder)); err == nil && found && job.State == "RUNNING" {
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return errors.New("the nodes do not become free")
}

// fill queues the jobs, and begins to watch them.
func (q *queue) fill(ctx context.Context, s setting) error {
	watching, stop := context.WithCancel(ctx)
	q.stop = stop
	queued := s.jobs
	if s.launcher == "none" {
		queued = 1
	}
	for i := range s.jobs {
		name := fmt.Sprintf("%s-%d", waiter, i%queued)
		if i < queued {
			if err := q.begin(waits(s.launcher, name)...); err != nil {
				return err
			}
		}
		if s.watch {
			q.watches.Go(func() { q.watch(watching, name) })
		}
	}
	for end := time.Now().Add(startTime); time.Now().Before(end); {
		out, err := output(ctx, "squeue", "--noheader", "--me", "--states=PENDING", "--format=%i")
		if n := strings.Count(out, "\n"); err == nil && n == queued {
			return nil
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	return errors.New("the jobs do not come into the queue")
}

// watch watches a job as the driver does, until ctx ends: no job begins.
func (q *queue) watch(ctx context.Context, name string) {
	last := ""
	q.slurm.Watch(ctx, dir(name), func(j slurm.Job) { last = j.String() })
	if ctx.Err() == nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.gone = append(q.gone, last)
	}
}

// dir is the directory by which a job is found. It need not be there before the job begins.
func dir(name string) string { return "/run/podman-executor-load/" + name }

// waits is the command of a job that waits; its streams are as the driver's.
func waits(launcher, name string) []string {
	if launcher == "sbatch" {
		return []string{"sbatch", "--quiet", slurm.ChdirOption(dir(name)), "--wait", "--input=/dev/null", "--output=/dev/null", "--wrap=true"}
	}
	return []string{"srun", "--quiet", slurm.ChdirOption(dir(name)), "true"}
}

// begin starts a command that close ends.
func (q *queue) begin(words ...string) error {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("running %s: %w", words[0], err)
	}
	q.commands = append(q.commands, cmd)
	return nil
}

// ask does what a watch does each second, and returns how long it took.
func (q *queue) ask(ctx context.Context, all time.Duration) (took []time.Duration, err error) {
	for end := time.Now().Add(all); time.Now().Before(end); {
		started := time.Now()
		if _, _, err := q.plain().Find(ctx, dir(waiter+"-0")); err != nil {
			return nil, err
		}
		took = append(took, time.Since(started))
		if err := pause(ctx, time.Second-time.Since(started)); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// complain tells whether a watch has ended though its job waits.
func (q *queue) complain() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.gone) > 0 {
		return fmt.Errorf("%d watches have ended though no job was to begin: %q", len(q.gone), q.gone)
	}
	return nil
}

// close ends all jobs and commands.
func (q *queue) close() error {
	q.stop()
	q.watches.Wait()
	_, err := output(context.Background(), "scancel", "--quiet", "--me")
	for _, cmd := range q.commands {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	return err
}

// output runs a command.
func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return string(out), err
}
