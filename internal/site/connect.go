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

// Hosts are the podman services of a policy, in its order; none where podman works on
// this machine itself.
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

// Connect gives podman the service of a host; close lets go of it. It asks a service on
// another machine whether it is there; one on this machine, the first command of podman
// finds out. The files with the hosts' keys and with this user's must be ones that nobody
// else can change: who can, decides which machine runs the jobs.
func Connect(ctx context.Context, pm *podman.Podman, h remote.Endpoint) (closed func(), err error) {
	if !h.IsRemote() {
		pm.URL, pm.Elsewhere = h.URL, false
		return func() {}, nil
	}
	return ConnectSurely(ctx, pm, h)
}

// ConnectSurely is Connect, which asks a service on this machine, too.
func ConnectSurely(ctx context.Context, pm *podman.Podman, h remote.Endpoint) (closed func(), err error) {
	if h.URL == "" {
		return func() {}, nil
	}
	if h.IsRemote() {
		if err := trustFiles(h); err != nil {
			return nil, err
		}
	}
	c, err := h.Connect(ctx, job.RuntimeDir(pm.Getenv))
	if err != nil {
		return nil, err
	}
	pm.URL, pm.Elsewhere = c.URL, h.IsRemote()
	return c.Close, nil
}

// trustFiles judges the files that ssh goes by.
func trustFiles(h remote.Endpoint) error {
	for _, f := range []struct{ key, name string }{{"known_hosts", h.KnownHosts}, {"identity", h.Identity}} {
		if err := trust.Path(f.name, trust.Self()); err != nil {
			return &driver.Fault{
				Err:  fmt.Errorf("general.podman.%s cannot be trusted: %w", f.key, err),
				Hint: cmp.Or(trust.Hint(err), "make general.podman."+f.key+" of the policy a file that gitlab-runner's user can read"),
			}
		}
	}
	return nil
}
