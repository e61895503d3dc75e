// Command load-slurm measures what jobs that wait cost a real Slurm, as the driver queues
// them: for each one process of srun or sbatch that waits, and the driver's own watch
// (internal/slurm).
//
//	load-slurm [--jobs N] [--launcher srun|sbatch|none] [--watch=false] [--for DURATION]
//
// It runs beside a cluster of slurm-cluster. It takes both nodes, so that no job begins,
// queues the jobs, waits until each watch asks as seldom as it ever does, and then looks
// for the given time. With the launcher none all watches look for one job, which waits,
// in a queue of one.
//
// slurmctld's processor time is all of it, the scheduler's included, which the cluster of the tests
// lets run each second: --watch=false says how much that is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := load(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load-slurm: error:", err)
		os.Exit(1)
	}
}

// setting is what is measured.
type setting struct {
	jobs     int
	launcher string
	watch    bool
	time     time.Duration
}

// slowest is longer than a watch takes until its pause grows no more: 0.5 s, 1 s, and so on
// up to 15 s (internal/slurm), and the jobs begin one after the other.
const slowest = 35 * time.Second

func load(ctx context.Context, args []string, out io.Writer) (err error) {
	var s setting
	flags := flag.NewFlagSet("load-slurm", flag.ContinueOnError)
	flags.IntVar(&s.jobs, "jobs", 1000, "how many jobs wait")
	flags.StringVar(&s.launcher, "launcher", "srun", "what waits for each: srun, sbatch or none")
	flags.BoolVar(&s.watch, "watch", true, "watch each job as the driver does")
	flags.DurationVar(&s.time, "for", time.Minute, "how long to look")
	if err := flags.Parse(args); err != nil {
		return err
	}
	q := newQueue()
	defer func() { err = errors.Join(err, q.close()) }()
	if err := q.hold(ctx); err != nil {
		return err
	}
	started := time.Now()
	if err := q.fill(ctx, s); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d jobs (%s), queued in %.0f s\n", s.jobs, s.launcher, time.Since(started).Seconds())
	if err := pause(ctx, slowest); err != nil {
		return err
	}
	before, err := q.look(ctx)
	if err != nil {
		return err
	}
	asked, err := q.ask(ctx, s.time)
	if err != nil {
		return err
	}
	after, err := q.look(ctx)
	if err != nil {
		return err
	}
	report(out, before, after, asked)
	return q.complain()
}

// pause waits, or returns why it could not.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
