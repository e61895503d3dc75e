package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/leftovers"
	"podman-executor/pkg/podman"
)

// removeLeftovers removes what dead runners, and an earlier attempt at this job, left
// behind. podman is asked for containers only where something tells that there may be
// some: see docs/decisions/0020.
func (s *preparation) removeLeftovers(ctx context.Context) error {
	now := time.Now()
	evidence, err := s.places().Marks(s.podman, s.authDir(), now)
	if err != nil {
		s.log.WithError(err).Warn("directories of dead runners")
	}
	removed, looked := s.lookForContainers(ctx, now, evidence)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !looked && evidence.Own {
		if err := s.podman.Remove(ctx, s.plan().Containers()...); err != nil {
			return s.leftoversFault(fmt.Errorf("removing what an earlier attempt at the job has left: %w", err))
		}
	}
	// A job without services has no network; a list of them costs a command.
	if len(removed) > 0 || s.network() != "" {
		if err := leftovers.Networks(ctx, s.podman, now, s.network()); err != nil {
			s.log.WithError(err).Warn("networks of dead runners")
		}
	}
	if !s.removeLeftoversElsewhere(ctx, now, evidence.Found) || !looked && evidence.Found {
		// The marks stay until podman, and all services, were looked at.
		evidence.Orphans = nil
	}
	pinned, err := s.places().Pinned(now)
	secrets, secretsErr := s.places().Secrets(s.host.URL, s.secretsDir(), now)
	err = errors.Join(err, secretsErr)
	for _, o := range slices.Concat(pinned, secrets, evidence.Orphans) {
		err = errors.Join(err, o.Remove(ctx, s.podman))
	}
	if err != nil {
		s.log.WithError(err).Warn("volumes, secrets and directories of dead runners")
	}
	if err := s.removeLaunched(ctx, now); err != nil {
		s.log.WithError(err).Warn("launched jobs of dead runners")
	}
	if err := s.places().RemoveAttempts(now); err != nil {
		s.log.WithError(err).Warn("directories of dead runners")
	}
	return nil
}

// lookForContainers removes the containers of jobs that are over, and those of an earlier
// attempt at this one. It returns the names of what it removed, and whether podman was asked,
// and has answered. That it does not is the administrator's to know, and no fault of this
// job's: it may be for what other people's images and containers are.
func (s *preparation) lookForContainers(ctx context.Context, now time.Time, evidence leftovers.Marks) (removed []string, looked bool) {
	if !evidence.AskPodman {
		return nil, false
	}
	removed, elsewhere, err := leftovers.Containers(ctx, s.podman, now, s.plan().Containers()...)
	if err != nil && ctx.Err() != nil {
		return nil, false
	}
	if err != nil {
		s.log.WithError(err).Warn("containers of dead runners")
		if err := leftovers.RecordFailure(s.podman); err != nil {
			s.log.WithError(err).Warn("containers of dead runners")
		}
		return nil, false
	}
	for _, name := range removed {
		s.logRemoved(name)
	}
	// Of a runner elsewhere no file of this machine will tell that it is gone.
	if !elsewhere && s.podman.URL == "" {
		if err := leftovers.RecordAsked(s.podman); err != nil {
			s.log.WithError(err).Warn("leftovers of dead runners")
		}
	}
	return removed, true
}

func (s *preparation) logRemoved(name string) {
	s.log.Warn("removed a leftover of a job that is over: " + name)
}

func (s *preparation) leftoversFault(err error) error {
	return &driver.Fault{Err: err, Hint: "run `" + s.podman.Program + " ps --all` as the user that gitlab-runner runs as"}
}

// unlessTaken makes a container of that name. One that has it, since nothing told that
// an earlier attempt at the job has left it, is removed first: that one alone is asked about.
func (s *preparation) unlessTaken(ctx context.Context, name string, create func() error) error {
	err := create()
	if !podman.NameTaken(err) {
		return err
	}
	id, lookErr := s.podman.Managed(ctx, name, job.LabelManaged)
	switch {
	case lookErr != nil:
		return s.leftoversFault(fmt.Errorf("looking for leftovers: %w", lookErr))
	case id == "":
		return err
	}
	if err := s.podman.Remove(ctx, id); err != nil {
		return s.leftoversFault(fmt.Errorf("removing leftovers: %w", err))
	}
	s.logRemoved(name)
	return create()
}
