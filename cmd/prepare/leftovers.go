package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/leftovers"
	"podman-executor/pkg/podman"
)

// removeLeftovers removes what dead runners, and an earlier attempt at this job, left
// behind. podman is asked for containers only where something tells that there may be
// some: see docs/decisions/0020.
func (s *preparation) removeLeftovers(ctx context.Context) error {
	now := time.Now()
	evidence, err := s.places().Evidence(s.podman, s.authDir(), now)
	if err != nil {
		s.log.WithError(err).Warn("directories of dead runners")
	}
	var removed []string
	if evidence.Look {
		if removed, err = s.removeContainers(ctx, now, s.plan().Containers()...); err != nil {
			return err
		}
	}
	// A job without services has no network; a list of them costs a command.
	if len(removed) > 0 || s.network() != "" {
		if err := leftovers.Networks(ctx, s.podman, now, s.network()); err != nil {
			s.log.WithError(err).Warn("networks of dead runners")
		}
	}
	if !s.removeLeftoversElsewhere(ctx, now, evidence.Found) {
		// The marks stay until all services were looked at.
		evidence.Over = nil
	}
	pinned, err := s.places().Pinned(now)
	secrets, secretsErr := s.places().Secrets(s.host.URL, s.secretsDir(), now)
	err = errors.Join(err, secretsErr)
	for _, o := range slices.Concat(pinned, secrets, evidence.Over) {
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

// removeContainers removes the containers of jobs that are over, and those with one of
// the names. It returns the names of what it removed.
func (s *preparation) removeContainers(ctx context.Context, now time.Time, names ...string) ([]string, error) {
	removed, elsewhere, err := leftovers.Containers(ctx, s.podman, now, names...)
	if err != nil {
		return nil, &driver.Fault{Err: err, Todo: "run `" + s.podman.Program + " ps --all` as the user that gitlab-runner runs as"}
	}
	for _, name := range removed {
		s.log.Warn("removed a leftover of a job that is over: " + name)
	}
	// Of a runner elsewhere no file of this machine will tell that it is gone.
	if !elsewhere && s.podman.URL == "" {
		if err := leftovers.Looked(s.podman); err != nil {
			s.log.WithError(err).Warn("leftovers of dead runners")
		}
	}
	return removed, nil
}

// unlessTaken makes a container of that name. One that has it, since nothing told that
// an earlier attempt at the job has left it, is removed first.
func (s *preparation) unlessTaken(ctx context.Context, name string, create func() error) error {
	err := create()
	if !podman.NameTaken(err) {
		return err
	}
	// Not the job's other names: its other containers are just being made.
	removed, lookErr := s.removeContainers(ctx, time.Now(), name)
	if lookErr != nil {
		return lookErr
	}
	if !slices.Contains(removed, name) {
		return err
	}
	return create()
}
