package site

import (
	"cmp"
	"context"
	"fmt"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/remote"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// Hosts returns the podman services of a policy, in its order; none if podman runs on this
// machine without a service.
func Hosts(p *policy.Policy) []remote.Endpoint {
	pm := p.General.Podman
	var hosts []remote.Endpoint
	for _, address := range pm.Endpoints() {
		h := remote.Endpoint{URL: address}
		if policy.IsRemote(address) {
			h.Identity, h.KnownHosts = pm.Identity, pm.KnownHosts
		}
		hosts = append(hosts, h)
	}
	return hosts
}

// Connect returns a podman that uses a service, and a function that closes the connection. It
// checks that a service on another machine answers; for one on this machine, podman's first
// command shows it. Nobody else may be able to change the files with the hosts' keys and with
// this user's key, since they decide which machine runs the jobs.
func Connect(ctx context.Context, pm podman.Podman, h remote.Endpoint) (podman.Podman, func(), error) {
	if !h.IsRemote() {
		pm.URL, pm.Remote = h.URL, false
		return pm, func() {}, nil
	}
	return ConnectAndPing(ctx, pm, h)
}

// ConnectAndPing is [Connect], but also checks that a service on this machine answers.
func ConnectAndPing(ctx context.Context, pm podman.Podman, h remote.Endpoint) (podman.Podman, func(), error) {
	if h.URL == "" {
		return pm, func() {}, nil
	}
	if h.IsRemote() {
		if err := trustFiles(h); err != nil {
			return podman.Podman{}, nil, err
		}
	}
	c, err := h.Connect(ctx, job.RuntimeDir(pm.Getenv))
	if err != nil {
		return podman.Podman{}, nil, err
	}
	pm.URL, pm.Remote = c.URL, h.IsRemote()
	return pm, c.Close, nil
}

// trustFiles checks that nobody else can change the files with ssh's keys.
func trustFiles(h remote.Endpoint) error {
	for _, f := range []struct{ key, name string }{{"known_hosts", h.KnownHosts}, {"identity", h.Identity}} {
		if err := trust.Path(f.name, trust.Self()); err != nil {
			return &driver.Fault{
				Err:  fmt.Errorf("general.podman.%s cannot be trusted: %w", f.key, err),
				Hint: cmp.Or(trust.Hint(err), "set general.podman."+f.key+" in the policy to a file that gitlab-runner's user can read"),
			}
		}
	}
	return nil
}
