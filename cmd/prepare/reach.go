package main

import (
	"context"
	"errors"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/remote"
	"podman-executor/internal/site"
	"podman-executor/pkg/podman"
)

// reach connects podman to the service that the job gets; with service_urls to the
// first that answers, in the order that the job's project has in this slot.
func (s *preparation) reach(ctx context.Context) error {
	hosts := site.Hosts(s.policy)
	if s.policy.General.Podman.ServiceURL != "" {
		return s.connect(ctx, hosts[0], site.Connect)
	}
	var silent *remote.SilentError
	for _, h := range remote.Order(hosts, s.job.VolumeName("builds")) {
		err := s.connect(ctx, h, site.ConnectSurely)
		if err == nil {
			s.note("Using the podman service %s", h.URL)
			return nil
		}
		if !errors.As(err, &silent) {
			return err
		}
		s.note("Passing over a service: %v", err)
		s.log.WithError(err).Warn("a service is passed over")
	}
	if len(hosts) == 0 {
		return nil
	}
	return &driver.Fault{
		Err:  errors.New("none of the podman services answers"),
		Hint: "see why above, and general.podman.service_urls in " + s.policy.File(),
	}
}

type connector func(context.Context, *podman.Podman, remote.Endpoint) (func(), error)

func (s *preparation) connect(ctx context.Context, h remote.Endpoint, how connector) error {
	closed, err := how(ctx, s.podman, h)
	if err == nil {
		s.host, s.disconnect = h, closed
	}
	return err
}

// removeLeftoversElsewhere removes leftovers on the services that the job did not get,
// where something tells that there may be some, or nobody has looked for long. It tells
// whether all of them were looked at.
func (s *preparation) removeLeftoversElsewhere(ctx context.Context, now time.Time, found bool) bool {
	all := true
	for _, h := range site.Hosts(s.policy) {
		if h == s.host {
			continue
		}
		other := *s.podman
		other.URL = h.URL
		secrets, err := s.places().Secrets(h.URL, s.secretsDir(), now)
		if err != nil {
			s.log.WithError(err).Warn("secrets of dead runners")
		}
		if !found && len(secrets) == 0 && leftovers.AskedLately(&other, now) {
			continue
		}
		if leftovers.FailedLately(&other, now) {
			all = false
			continue
		}
		if err := s.removeLeftoversOf(ctx, other, h, secrets, now); err != nil {
			s.log.WithError(err).Warn("leftovers on the service " + h.URL)
			all = false
		}
	}
	return all
}

func (s *preparation) removeLeftoversOf(ctx context.Context, other podman.Podman, h remote.Endpoint, secrets []leftovers.Orphan, now time.Time) error {
	memo := other
	closed, err := site.ConnectSurely(ctx, &other, h)
	if err != nil {
		return err
	}
	defer closed()
	removed, elsewhere, err := leftovers.Containers(ctx, &other, now, s.plan().Containers()...)
	if err != nil {
		return errors.Join(err, leftovers.RecordFailure(&memo))
	}
	for _, name := range removed {
		s.log.Warn("removed a leftover of a job that is over, on " + h.URL + ": " + name)
	}
	err = leftovers.Networks(ctx, &other, now, s.network())
	for _, o := range secrets {
		err = errors.Join(err, o.Remove(ctx, &other))
	}
	if err != nil || elsewhere {
		return err
	}
	return leftovers.RecordAsked(&memo)
}
