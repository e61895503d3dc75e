package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/plan"
	"podman-executor/internal/preflight"
	"podman-executor/internal/ready"
	"podman-executor/internal/site"
	"podman-executor/internal/spec"
	"podman-executor/pkg/podman"
)

// startServices makes the job's network and starts its services on it. It returns the lines of
// /etc/hosts with which the user container finds them.
func startServices(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan, version string, images []podman.Image) (hosts []string, err error) {
	if len(p.Services) == 0 {
		return nil, nil
	}
	if network, ok := spec.Network(f, p, preflight.Isolation(version)); ok {
		if err := pm.CreateNetwork(ctx, network); err != nil {
			return nil, site.Judge(fmt.Errorf("creating the job's network: %w", err), "", runAsRunner(pm, "network create test"))
		}
	}
	defer clearRuntimeDir(in.log, p)
	v := variables{in: in, podman: pm, facts: f, plan: p}
	for i, service := range f.Grant.Services {
		c := spec.Service(f, p, i, images[i], hosts)
		lines, err := startService(ctx, &v, i, c)
		if err != nil {
			hint := runAsRunner(pm, "create --rm "+service.Image.String())
			return nil, serviceFault(in.policy, service, err, cmp.Or(checkKeys(in.policy, "service_container"), hint))
		}
		hosts = append(hosts, lines...)
		if i == 0 && p.Network != "" {
			keepApart(ctx, in.log, pm, f, version)
		}
	}
	return userHosts(ctx, pm, f, p, hosts)
}

// errNoFirewall is why networks are not isolated if there is no firewall driver.
var errNoFirewall = errors.New(`containers.conf has firewall_driver = "none"`)

// keepApart keeps the job's network isolated from those of other jobs. If that is impossible,
// it logs a warning for the administrator: see preflight.Apart.
func keepApart(ctx context.Context, log *site.Log, pm *podman.Podman, f spec.Facts, version string) {
	// Older podmans may not read firewall_driver, or their netavark may not.
	strict := preflight.Isolation(version) == podman.IsolateAll
	err := errNoFirewall
	switch driver := f.Defaults.FirewallDriver; {
	case strict && driver == "nftables":
		return // its rules stay in force
	case !strict || driver != "none":
		err = pm.KeepIsolated(ctx)
	}
	notHere := errors.Is(err, podman.ErrRemote) || errors.Is(err, podman.ErrNoRules)
	if err == nil || notHere && strict {
		return // --doctor tests whether they are isolated
	}
	log.WithError(err).WithField("hint", preflight.ApartHint).Warn("jobs' networks may not be isolated from each other")
}

// startService starts a service with its variables. It returns the lines of /etc/hosts with
// which the user container, and services that start later, find it on a network that does not
// resolve its aliases.
func startService(ctx context.Context, v *variables, number int, c podman.Create) ([]string, error) {
	c, err := v.add(ctx, c, number)
	if err != nil {
		return nil, err
	}
	err = unlessTaken(ctx, v.in.log, v.podman, c.Name, func() error {
		_, err := v.podman.Create(ctx, c)
		return err
	})
	// Removed at once, so that only one service's variables are in memory at a time.
	if removed := os.Remove(c.EnvFile); err == nil {
		err = removed
	}
	if err != nil {
		return nil, ofImage{err, c.Image}
	}
	if err := v.podman.StartDetached(ctx, c.Name); err != nil {
		return nil, ofImage{err, c.Image}
	}
	if !v.facts.Grant.Network.Hosts {
		return nil, nil
	}
	return hostsOf(ctx, v.podman, v.facts, v.plan, number)
}

// hostsOf returns the lines of /etc/hosts for the service with that number, from its addresses.
func hostsOf(ctx context.Context, pm *podman.Podman, f spec.Facts, p plan.Plan, number int) ([]string, error) {
	addresses, err := pm.Addresses(ctx, p.Services[number].Container)
	if err != nil {
		return nil, err
	}
	return spec.Hosts(f.Grant.Services[number], addresses), nil
}

// userHosts returns the lines for the user container's /etc/hosts with which it finds services.
// On a network shared with others these are the lines that starting the services returned. If
// the policy sets name servers, they are the lines of all services: podman 4.3.1 then writes
// these servers to /etc/resolv.conf instead of the network's own, and only the network's own
// knows the aliases.
func userHosts(ctx context.Context, pm *podman.Podman, f spec.Facts, p plan.Plan, started []string) ([]string, error) {
	if !f.Grant.Network.Aliases || len(f.Grant.Container.DNS) == 0 {
		return started, nil
	}
	var hosts []string
	for i := range p.Services {
		lines, err := hostsOf(ctx, pm, f, p, i)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, lines...)
	}
	return hosts, nil
}

const (
	// servicesTimeout is how long a job waits for its services by default (gitlab-runner
	// executors/docker/services.go:140).
	servicesTimeout = 30 * time.Second
	// serviceLines is how much of a service's log a warning shows, in lines.
	serviceLines = 20
)

// waitForServices waits until all services are ready, or the time is over. A service that is
// not ready is only a warning, with its last lines: the job may not need it.
func waitForServices(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan, images []podman.Image) error {
	timeout := servicesTimeout
	if t := in.policy.General.Podman.WaitForServicesTimeout; t.Set && t.Value != 0 {
		timeout = time.Duration(t.Value) * time.Second
	}
	if len(p.Services) == 0 || timeout < 0 {
		return nil
	}
	in.call.Note("Waiting for services to be up and running (timeout %d seconds)...", int(timeout.Seconds()))
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var services []ready.Service
	for i, image := range images {
		services = append(services, ready.Service{
			Container: p.Services[i].Container, Ports: ready.Ports(variablesOf(f, i), image), HealthCheck: image.HealthCheck,
		})
	}
	for i, problem := range ready.Wait(bounded, pm, services) {
		if problem != "" && ctx.Err() == nil {
			warnOfService(ctx, in, pm, f, p, i, problem)
		}
	}
	return ctx.Err()
}

// variablesOf returns the service's variables from the job; none for a service of the policy.
func variablesOf(f spec.Facts, number int) []job.Variable {
	service := f.Grant.Services[number]
	if service.Added {
		return nil
	}
	return f.Job.Services[service.Index].Variables
}

// warnOfService prints a warning about a service, with the last lines of its log.
func warnOfService(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan, number int, problem string) {
	service := f.Grant.Services[number]
	in.call.Warn("the service %s (%s) probably didn't start properly: %s", service.Aliases[0], service.Image, problem)
	lines, err := pm.Logs(ctx, p.Services[number].Container, time.Time{}, serviceLines)
	if err != nil {
		lines = []string{err.Error()}
	}
	for _, line := range lines {
		fmt.Fprintf(in.call.Stderr, "[service:%s] %s\n", service.Aliases[0], driver.PrintableLine(line))
	}
}
