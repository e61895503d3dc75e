package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"podman-executor/internal/handover"
	"podman-executor/internal/plan"
	"podman-executor/pkg/podman"
)

// containerStep is a step in one of the job's containers.
type containerStep struct {
	podman *podman.Podman
	plan   plan.Plan
	// dir is the directory of the attempt at the job.
	dir       string
	container string
}

// run runs the step, and returns its outcome: see [outcome].
func (s containerStep) run(ctx context.Context, streams podman.Streams) error {
	e := stepEnd{service: s.podman.URL != "", podman: s.podman.Program, container: s.container}
	if limit, limited := s.plan.Memory[s.container]; limited {
		e.limit = &limit
	}
	e.place = placeOf(s.plan, s.container)
	stepsDir, stays := s.plan.StepsDirs[s.container]
	c := handover.Container{Podman: s.podman, Name: s.container, Dir: stepsDir, Grace: s.plan.Grace}
	if e.stays = stays; stays {
		e.err = c.Run(ctx, streams)
	} else {
		e.err = s.podman.Start(ctx, s.container, streams, s.plan.Grace)
	}
	if ctx.Err() != nil {
		return e.err
	}
	for {
		next, err := outcome(e)
		if next == noQuestion {
			return err
		}
		if e, err = s.answer(ctx, e, next, c); err != nil {
			return err
		}
	}
}

// placeOf returns where the policy names the image of a container; empty if the job does.
func placeOf(p plan.Plan, container string) string {
	switch {
	case container == p.RunnerContainer:
		return "general.podman.runner_image in the policy"
	case p.DefaultImage:
		return "general.podman.default_image in the policy"
	}
	return ""
}

// secondLook is how long after its end a container is inspected again.
const secondLook = time.Second

// answer adds the answer to a question to what is known.
func (s containerStep) answer(ctx context.Context, e stepEnd, q question, c handover.Container) (_ stepEnd, err error) {
	switch q {
	case askState, askStateLater, askEnd:
		l, err := s.look(ctx, q, c)
		if err != nil {
			return e, err
		}
		e.looks = append(e.looks, l)
	case askRun:
		e.run, err = s.whoseRun(e.looks[len(e.looks)-1].state.StartedAt)
	case askReported:
		e.outOfMemory = s.reportedOutOfMemory()
	case askStart:
		e.start = &startAnswer{s.podman.Init(ctx, s.container)}
	case noQuestion:
	}
	return e, err
}

// look asks podman for the container's state. Its error is that of ctx, if it ends first.
func (s containerStep) look(ctx context.Context, q question, c handover.Container) (l look, _ error) {
	if q == askEnd {
		l.state, l.err = c.End(ctx)
		return l, nil
	}
	if q == askStateLater {
		select {
		case <-ctx.Done():
			return l, ctx.Err()
		case <-time.After(secondLook):
		}
	}
	l.state, l.err = s.podman.State(ctx, s.container)
	return l, nil
}

// whoseRun finds out whether the container's run that began at startedAt is the one in which an
// earlier step of this job ended with a doubtful code. It records the time for later steps.
func (s containerStep) whoseRun(startedAt time.Time) (whichRun, error) {
	name := filepath.Join(s.dir, "podman-executor-run-"+s.container)
	last, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return unknownRun, fmt.Errorf("reading when the container last ran: %w", err)
	}
	now := startedAt.UTC().Format(time.RFC3339Nano)
	if string(last) == now {
		return earlierRun, nil
	}
	if err := os.WriteFile(name, []byte(now), 0o600); err != nil {
		return unknownRun, fmt.Errorf("recording when the container ran: %w", err)
	}
	return thisRun, nil
}

// reportedOutOfMemory returns whether an earlier step of the job has reported that the
// container ran out of memory, and records that this one does. If that cannot be recorded,
// nothing is reported.
func (s containerStep) reportedOutOfMemory() reported {
	mark, err := os.OpenFile(filepath.Join(s.dir, "podman-executor-oom-"+s.container), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return reportedBefore
	}
	_ = mark.Close()
	return notReported
}
