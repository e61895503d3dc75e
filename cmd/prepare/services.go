package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/preflight"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// serviceRequests are the services as the job asks for them.
func (s *preparation) serviceRequests() ([]policy.ServiceRequest, error) {
	var list []policy.ServiceRequest
	for _, service := range s.job.Services {
		user, platform, err := s.expandedWords("services", service.Image)
		if err != nil {
			return nil, err
		}
		list = append(list, policy.ServiceRequest{
			Image: service.Name, Aliases: service.Aliases, DefaultAliases: job.DefaultAliases(service.Name),
			Entrypoint: service.Entrypoint, Command: service.Command, PullPolicies: service.PullPolicies,
			User: user, Platform: platform,
		})
	}
	return list, nil
}

// longestWord bounds the user and the platform of an image, in bytes, with their variables
// expanded.
const longestWord = 4 << 10

// expandedWords are user and platform of an image, which is of `image:` or `services:`, with
// their variables expanded.
func (s *preparation) expandedWords(of string, image job.Image) (user, platform string, err error) {
	expand := func(key, value string) string {
		word, ok := job.Expand(value, longestWord, s.expanded)
		if !ok {
			err = &driver.Refusal{
				Err:  fmt.Errorf("`%s:docker:%s` is longer than %d KiB when its variables are expanded", of, key, longestWord>>10),
				Todo: "check the variables that it names in .gitlab-ci.yml",
			}
		}
		return word
	}
	user, platform = expand("user", image.User), expand("platform", image.Platform)
	return user, platform, err
}

// expanded returns a variable of the job as the runner has expanded it.
func (s *preparation) expanded(name string) string { return s.call.Getenv(customPrefix + name) }

// network is the name of the job's own network, empty for a job that has none.
func (s *preparation) network() string {
	if !s.grant.Network.Own {
		return ""
	}
	return s.job.Name("network")
}

// buildAliases are the names by which services reach the user container: "build",
// as in docker (gitlab-runner executors/docker/docker.go:962), unless a service
// has that one.
func (s *preparation) buildAliases() []string {
	const build = "build"
	taken := func(service policy.ServiceGrant) bool {
		return slices.ContainsFunc(service.Aliases, func(alias string) bool { return strings.EqualFold(alias, build) })
	}
	if s.network() == "" || slices.ContainsFunc(s.grant.Services, taken) {
		return nil
	}
	return []string{build}
}

func (s *preparation) serviceName(i int) string { return s.job.Name("service-" + strconv.Itoa(i)) }

// startServices makes the job's network and starts its services on it.
func (s *preparation) startServices(ctx context.Context, version string, images []podman.Image) error {
	if len(s.grant.Services) == 0 {
		return nil
	}
	todo := "run `podman network create` and `podman run --network` as the user that gitlab-runner runs as; podman needs netavark and aardvark-dns"
	now := time.Now()
	if s.network() != "" {
		pm := s.policy.General.Podman
		network := podman.CreateNetwork{
			Name: s.network(), Labels: s.labels("network", now), IPv6: pm.EnableIPv6, MTU: pm.NetworkMTU.Value,
			Isolate: preflight.Isolation(version),
		}
		if err := s.podman.CreateNetwork(ctx, network); err != nil {
			return &driver.Fault{Err: fmt.Errorf("making the job's network: %w", err), Todo: todo}
		}
	}
	if s.policy.Line("general.podman.service_container") > 0 {
		todo = s.checkKeys("service_container") + "; else " + todo
	}
	defer s.clearRuntimeDir()
	for i, service := range s.grant.Services {
		if err := s.startService(ctx, i, service, images[i], now); err != nil {
			err = fmt.Errorf("starting the service %s: %w", service.Image, err)
			if errors.Is(err, job.ErrTooMuch) {
				return &driver.Refusal{Err: err, Todo: "remove some of the `variables:` of the service or the job in .gitlab-ci.yml, or put large values into files"}
			}
			if podman.NoSuchProgram(err) && !service.Added {
				return &driver.Refusal{Err: err, Todo: "check `entrypoint:` and `command:` of the service in .gitlab-ci.yml"}
			}
			if podman.NoWorkdir(err) && !service.Added {
				return &driver.Refusal{Err: err, Todo: "create the WORKDIR of the service's image in its Containerfile (RUN mkdir)"}
			}
			return &driver.Fault{Err: err, Todo: cmp.Or(driver.Hint(err), todo)}
		}
		if i == 0 {
			s.keepApart(ctx, version)
		}
	}
	return nil
}

// keepApart sees to it that the job's network stays apart from those of other jobs. Where that cannot be
// done, the administrator is told: see preflight.Apart.
func (s *preparation) keepApart(ctx context.Context, version string) {
	if s.network() == "" {
		return
	}
	err := s.podman.KeepIsolated(ctx)
	notHere := errors.Is(err, podman.ErrElsewhere) || errors.Is(err, podman.ErrNoRules)
	if err == nil || notHere && preflight.Isolation(version) == podman.IsolateAll {
		return // --doctor tries whether they are
	}
	s.log.WithError(err).WithField("cure", preflight.ApartCure).Warn("the networks of jobs may not be kept apart from each other")
}

func (s *preparation) startService(ctx context.Context, i int, service policy.ServiceGrant, image podman.Image, now time.Time) error {
	c := podman.Create{
		Name: s.serviceName(i), Labels: s.labels("service", now), Mode: podman.Service,
		Timeout: s.job.Timeout + time.Minute, Network: cmp.Or(s.network(), s.grant.Network.Mode),
		Workdir: imageWorkdir(image), User: service.User, Platform: podman.Platform(service.Platform), Image: image.ID, Command: service.Command,
		// As docker's services have it (gitlab-runner
		// executors/docker/services.go, docker.go:680): one may serve what the
		// job builds.
		Volumes: []string{s.buildsVolume()},
	}
	s.confine(&c, service.Container)
	if s.grant.Network.Aliases {
		c.Aliases = service.Aliases
	}
	c.Names.Hosts = slices.Concat(c.Names.Hosts, s.serviceHosts)
	if len(service.Entrypoint) > 0 {
		words, err := json.Marshal(service.Entrypoint)
		if err != nil {
			return err
		}
		c.Entrypoint = string(words)
		if len(service.Entrypoint) == 1 && service.Entrypoint[0] == "" {
			c.Entrypoint = "[]"
		}
	}
	if err := s.addVariables(ctx, &c, i, service); err != nil {
		return err
	}
	err := s.unlessTaken(ctx, c.Name, func() error {
		_, err := s.podman.Create(ctx, c)
		return err
	})
	// At once: the memory is for one service's variables at a time.
	if removed := os.Remove(c.EnvFile); err == nil {
		err = removed
	}
	if err != nil {
		return err
	}
	if err := s.podman.StartDetached(ctx, c.Name); err != nil {
		return err
	}
	return s.findHost(ctx, i, service)
}

// imageWorkdir is the WORKDIR of a service's image, by name: podman makes none that is missing then, see podman.Create. Empty for an
// image without one.
func imageWorkdir(image podman.Image) string {
	if image.Config.WorkingDir == "" {
		return ""
	}
	return path.Join("/", image.Config.WorkingDir)
}

// findHost remembers the lines of /etc/hosts by which the user container, and services
// that are started later, find a service on a network where its aliases are no names.
func (s *preparation) findHost(ctx context.Context, i int, service policy.ServiceGrant) error {
	if !s.grant.Network.Hosts {
		return nil
	}
	addresses, err := s.podman.Addresses(ctx, s.serviceName(i))
	if err != nil {
		return err
	}
	s.serviceHosts = append(s.serviceHosts, hostLines(service, addresses)...)
	return nil
}

// hostLines are lines of /etc/hosts, ALIAS:ADDRESS.
func hostLines(service policy.ServiceGrant, addresses []string) []string {
	var lines []string
	for _, alias := range service.Aliases {
		for _, a := range addresses {
			lines = append(lines, alias+":"+a)
		}
	}
	return lines
}

// hosts are the lines for the user container's /etc/hosts by which it finds services:
// on a network that others are on, too, and where the policy sets its name servers.
// podman 4.3.1 writes these to /etc/resolv.conf instead of that of the network, which
// alone knows the aliases.
func (s *preparation) hosts(ctx context.Context) ([]string, error) {
	if !s.grant.Network.Aliases || len(s.grant.Container.DNS) == 0 {
		return s.serviceHosts, nil
	}
	var hosts []string
	for i, service := range s.grant.Services {
		addresses, err := s.podman.Addresses(ctx, s.serviceName(i))
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, hostLines(service, addresses)...)
	}
	return hosts, nil
}

// labels are those of one of the job's objects.
func (s *preparation) labels(role string, now time.Time) map[string]string {
	labels := s.job.Labels(role, s.attempt, s.owner.String(), now)
	if s.policy.General.Podman.DisableContainerRemoval {
		job.Keep(labels)
	}
	return labels
}

// makeRuntimeDir makes the directory for what only podman may read, in memory. Its mark
// tells that the job may have containers: it is made before them, and goes after them.
func (s *preparation) makeRuntimeDir() error {
	if err := trust.MakeDir(s.authDir(), trust.CurrentOwner()); err != nil {
		return runtimeDirFault(err)
	}
	return leftovers.Mark(s.authDir(), s.owner, s.attempt)
}

func runtimeDirFault(err error) error {
	return &driver.Fault{
		Err:  fmt.Errorf("making the job's runtime directory: %w", err),
		Todo: "give gitlab-runner's user a runtime directory: `loginctl enable-linger USER`, or set XDG_RUNTIME_DIR in its environment",
	}
}

// clearRuntimeDir removes secrets that were for one podman command.
func (s *preparation) clearRuntimeDir() {
	if err := leftovers.Clear(s.authDir()); err != nil {
		s.log.WithError(err).Warn("removing the job's secrets")
	}
}
