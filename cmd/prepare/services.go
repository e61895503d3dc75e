package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/preflight"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

const (
	// servicesTimeout is how long a job waits for its services where the
	// policy does not say (gitlab-runner executors/docker/services.go:140).
	servicesTimeout = 30 * time.Second
	// servicePoll is the time between two looks at a service.
	servicePoll = 200 * time.Millisecond
	// longestLine is what podman reads as a line of a file of variables, and
	// longestVariable what the kernel takes as one of an environment, in bytes
	// (bufio.MaxScanTokenSize; execve(2), MAX_ARG_STRLEN).
	longestLine     = 60 << 10
	longestVariable = 127 << 10
	// serviceLines is how much of a service's log a warning shows, in lines.
	serviceLines = 20
)

// serviceRequests are the services as the job asks for them.
func (s *preparation) serviceRequests() []policy.ServiceRequest {
	var list []policy.ServiceRequest
	for _, service := range s.job.Services {
		list = append(list, policy.ServiceRequest{
			Image: service.Name, Aliases: service.Aliases, DefaultAliases: job.DefaultAliases(service.Name),
			Entrypoint: service.Entrypoint, Command: service.Command, PullPolicies: service.PullPolicies,
			User: job.Expand(service.User, s.expanded), Platform: job.Expand(service.Platform, s.expanded),
		})
	}
	return list
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
			if podman.NoSuchProgram(err) && !service.Added {
				return &driver.Refusal{Err: err, Todo: "check `entrypoint:` and `command:` of the service in .gitlab-ci.yml"}
			}
			if podman.NoWorkdir(err) {
				return &driver.Refusal{Err: err, Todo: "make the WORKDIR of the service's image a directory in that image"}
			}
			return &driver.Fault{Err: err, Todo: todo}
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
	s.log.WithError(err).WithField("cure", preflight.ApartCure).Warn("the networks of jobs may not be apart")
}

func (s *preparation) startService(ctx context.Context, i int, service policy.ServiceGrant, image podman.Image, now time.Time) error {
	c := podman.Create{
		Name: s.serviceName(i), Labels: s.labels("service", now), Service: true,
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
	variables := service.Environment
	if !service.Added {
		variables = s.job.ServiceEnv(s.job.Services[service.Index], s.expanded)
	}
	var own []string
	var err error
	if c.EnvFile, c.EnvNames, own, err = s.serviceEnv(i, variables); err != nil {
		return err
	}
	err = s.unlessTaken(ctx, c.Name, func() error {
		_, err := s.podman.CreateWithEnv(ctx, c, own)
		return err
	})
	if err != nil {
		return err
	}
	return s.podman.StartDetached(ctx, c.Name)
}

// imageWorkdir is the WORKDIR of a service's image, by name: podman makes none that is missing then, see podman.Create. Empty for an
// image without one.
func imageWorkdir(image podman.Image) string {
	if image.Config.WorkingDir == "" {
		return ""
	}
	return path.Join("/", image.Config.WorkingDir)
}

// serviceHosts are lines for the user container's /etc/hosts where the policy sets
// its name servers: podman 4.3.1 writes them to /etc/resolv.conf instead of that of
// the network, which alone knows the aliases.
func (s *preparation) serviceHosts(ctx context.Context) ([]string, error) {
	if !s.grant.Network.Aliases || len(s.grant.Container.DNS) == 0 {
		return nil, nil
	}
	var hosts []string
	for i, service := range s.grant.Services {
		addresses, err := s.podman.Addresses(ctx, s.serviceName(i))
		if err != nil {
			return nil, err
		}
		for _, alias := range service.Aliases {
			for _, a := range addresses {
				hosts = append(hosts, alias+":"+a)
			}
		}
	}
	return hosts, nil
}

// serviceEnv brings variables to podman without a command line: in a file, and
// those of several lines or a very long one, which podman's files cannot have, in
// podman's own environment. There they may not have a name that podman itself
// listens to.
func (s *preparation) serviceEnv(i int, variables []string) (file string, names, own []string, err error) {
	var lines strings.Builder
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		switch {
		case !policy.IsVariableName(name):
			s.call.Warn("a service does not get the variable %q: that is no name of a variable", name)
		case !strings.ContainsAny(value, "\r\n") && len(v) < longestLine:
			lines.WriteString(v + "\n")
		case podman.Listens(name):
			s.call.Warn("a service does not get the variable %q: it has several lines or a very long one, and a name that podman itself listens to", name)
		case len(v) >= longestVariable:
			s.call.Warn("a service does not get the variable %q: it is longer than %d KiB", name, longestVariable>>10)
		default:
			names, own = append(names, name), append(own, v)
		}
	}
	file = filepath.Join(s.authDir(), "service-"+strconv.Itoa(i)+".env")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		return "", nil, nil, fmt.Errorf("writing the service's variables: %w", err)
	}
	return file, names, own, nil
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
	if err := os.MkdirAll(s.authDir(), 0o700); err != nil {
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

// waitForServices waits until all services are ready, or the time is over. A
// service that is not ready is a warning with its last words: the job may not
// need it.
func (s *preparation) waitForServices(ctx context.Context, images []podman.Image) error {
	timeout := servicesTimeout
	if t := s.policy.General.Podman.WaitForServicesTimeout; t.Set && t.Value != 0 {
		timeout = time.Duration(t.Value) * time.Second
	}
	if len(s.grant.Services) == 0 || timeout < 0 {
		return nil
	}
	s.note("Waiting for services to be up and running (timeout %d seconds)...", int(timeout.Seconds()))
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	problems := make([]string, len(s.grant.Services))
	var wait sync.WaitGroup
	for i := range s.grant.Services {
		wait.Go(func() { problems[i] = s.ready(bounded, i, images[i]) })
	}
	wait.Wait()
	for i, problem := range problems {
		if problem != "" && ctx.Err() == nil {
			s.warnOfService(ctx, i, problem)
		}
	}
	return ctx.Err()
}

// ready waits for one service: for its image's health check, else until one of
// its ports answers. It returns what is wrong, or nothing.
func (s *preparation) ready(ctx context.Context, i int, image podman.Image) string {
	name := s.serviceName(i)
	ports := s.servicePorts(i, image)
	for {
		pid, err := s.podman.PID(ctx, name)
		switch {
		case err == nil && pid == 0:
			return "it has ended"
		case err == nil && s.isReady(ctx, name, pid, ports, image):
			return ""
		}
		select {
		case <-ctx.Done():
			return "it is not ready after the timeout"
		case <-time.After(servicePoll):
		}
	}
}

func (s *preparation) isReady(ctx context.Context, name string, pid int, ports []int, image podman.Image) bool {
	if check := image.HealthCheck; check != nil && len(check.Test) > 1 {
		return s.podman.Healthy(ctx, name, *check)
	}
	return len(ports) == 0 || s.podman.Listening(ctx, name, pid, ports)
}

// servicePorts are the TCP ports to look at: HEALTHCHECK_TCP_PORT of the service's
// own variables, else those that the image exposes
// (gitlab-runner executors/docker/docker.go:2011).
func (s *preparation) servicePorts(i int, image podman.Image) []int {
	if service := s.grant.Services[i]; !service.Added {
		for _, v := range s.job.Services[service.Index].Variables {
			if port, err := strconv.Atoi(v.Value); strings.EqualFold(v.Key, "HEALTHCHECK_TCP_PORT") && err == nil {
				return []int{port}
			}
		}
	}
	var ports []int
	for _, exposed := range slices.Sorted(maps.Keys(image.Config.ExposedPorts)) {
		number, protocol, _ := strings.Cut(exposed, "/")
		if port, err := strconv.Atoi(number); err == nil && cmp.Or(protocol, "tcp") == "tcp" {
			ports = append(ports, port)
		}
	}
	return ports
}

// warnOfService shows a service's last words.
func (s *preparation) warnOfService(ctx context.Context, i int, problem string) {
	service := s.grant.Services[i]
	s.call.Warn("the service %s (%s) probably didn't start properly: %s", service.Aliases[0], service.Image, problem)
	lines, err := s.podman.Logs(ctx, s.serviceName(i), time.Time{}, serviceLines)
	if err != nil {
		lines = []string{err.Error()}
	}
	for _, line := range lines {
		fmt.Fprintf(s.call.Stderr, "[service:%s] %s\n", service.Aliases[0], driver.Printable(line))
	}
}
