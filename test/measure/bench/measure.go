package main

import (
	"context"
	"errors"
	"fmt"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/measure/bench/account"
	"podman-executor/test/measure/bench/results"
)

// dockerTries is how often the docker executor may run a job. Over the API of
// podman 4.3 it fails now and then, whatever the job: see docs/decisions/0014. What
// was measured with a job that failed is thrown away.
const dockerTries = 5

// measureKind measures one kind of jobs: first what it uses by each executor, which
// makes volumes and fills caches, too; then how long it takes, by turns.
func (b *bench) measureKind(ctx context.Context, k kind, rivals []*rival, repetitions int) (cells []results.Cell, err error) {
	var measured []*rival
	for _, r := range rivals {
		if !r.can(k) {
			continue
		}
		measured = append(measured, r)
		cell := results.Cell{Kind: k.Name, Executor: r.Name}
		if cell.Account, err = b.accountOf(ctx, k, r, &cell.Failed); err != nil {
			return nil, err
		}
		cells = append(cells, cell)
		b.progress("%-9s %-17s %d commands of podman, %.2f s of CPU time", k.Name, r.Name, cell.Account.PodmanCommands(), cpuSeconds(cell.Account))
	}
	return cells, b.timeAll(ctx, k, measured, cells, repetitions)
}

// timeAll takes the times of one kind of jobs by turns. Every executor has a runner
// all the while.
func (b *bench) timeAll(ctx context.Context, k kind, measured []*rival, cells []results.Cell, repetitions int) (err error) {
	sessions := make([]*session, len(measured))
	defer func() {
		for _, s := range sessions {
			if s != nil {
				err = errors.Join(err, s.close(context.WithoutCancel(ctx)))
			}
		}
	}()
	for i, r := range measured {
		if err := r.removeLog(); err != nil {
			return err
		}
		if sessions[i], err = b.open(ctx, r, k, false); err != nil {
			return err
		}
	}
	for n := range repetitions {
		for i, s := range sessions {
			seconds, err := s.time(ctx, k.Jobs, k.job, &cells[i].Failed)
			if err != nil {
				return err
			}
			cells[i].Seconds = append(cells[i].Seconds, seconds)
			b.progress("%-9s %-17s %d of %d: %.2f s", k.Name, measured[i].Name, n+1, repetitions, seconds)
		}
	}
	return nil
}

// accountOf runs the jobs once under a follower.
func (b *bench) accountOf(ctx context.Context, k kind, r *rival, failed *int) (a account.Account, err error) {
	s, err := b.open(ctx, r, k, true)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	// The first job waits until the runner has started.
	if _, err := s.time(ctx, 1, hello, failed); err != nil {
		return a, err
	}
	for {
		before, err := s.account(ctx)
		if err != nil {
			return a, err
		}
		_, err = s.run(ctx, k.Jobs, k.job)
		if err == nil {
			after, err := s.account(ctx)
			return after.Since(before), err
		}
		if err := s.again(err, failed); err != nil {
			return a, err
		}
	}
}

// time runs jobs once, and returns how many seconds they took.
func (s *session) time(ctx context.Context, number int, job func(*gitlab.Repository) gitlab.Job, failed *int) (float64, error) {
	for {
		took, err := s.run(ctx, number, job)
		if err == nil {
			return took.Seconds(), nil
		}
		if err := s.again(err, failed); err != nil {
			return 0, err
		}
	}
}

// again returns nil where the jobs may be run once more after a failure.
func (s *session) again(err error, failed *int) error {
	*failed++
	if job := new(jobFailed); s.rival.fails && errors.As(err, &job) && *failed < dockerTries*(1+s.kind.Jobs/10) {
		return nil
	}
	return err
}

func cpuSeconds(a account.Account) (sum float64) {
	for _, ns := range a.CPU {
		sum += float64(ns) / 1e9
	}
	return sum
}

func (b *bench) progress(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }
