package driver

import (
	"context"

	"podman-executor/internal/preflight"
	"podman-executor/internal/remote"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// Hosts are the podman services of a policy, in its order; none where podman works on
// this machine itself.
func Hosts(p *policy.Policy) []remote.Host {
	pm := p.General.Podman
	var hosts []remote.Host
	for _, address := range pm.Addresses() {
		h := remote.Host{URL: address}
		if policy.IsElsewhere(address) {
			h.Identity, h.KnownHosts = pm.Identity, pm.KnownHosts
		}
		hosts = append(hosts, h)
	}
	return hosts
}

// Connect gives podman the service of a host; close lets go of it. It asks a service on
// another machine whether it is there; one on this machine, the first command of podman
// finds out. The file with the hosts' keys must be one that nobody else can change: who
// can, decides which machine runs the jobs.
func Connect(ctx context.Context, pm *podman.Podman, h remote.Host) (closed func(), err error) {
	if !h.IsElsewhere() {
		pm.URL, pm.Elsewhere = h.URL, false
		return func() {}, nil
	}
	return ConnectSurely(ctx, pm, h)
}

// ConnectSurely is Connect, which asks a service on this machine, too.
func ConnectSurely(ctx context.Context, pm *podman.Podman, h remote.Host) (closed func(), err error) {
	if h.URL == "" {
		return func() {}, nil
	}
	if h.IsElsewhere() {
		if err := preflight.Trusted(h.KnownHosts, preflight.CurrentOwner()); err != nil {
			todo := preflight.TrustCure(err)
			if todo == "" {
				todo = "make general.podman.known_hosts of the policy a file that gitlab-runner's user can read"
			}
			return nil, &Fault{Err: err, Todo: todo}
		}
	}
	c, err := h.Connect(ctx, RuntimeDir(pm))
	if err != nil {
		return nil, err
	}
	pm.URL, pm.Elsewhere = c.URL, h.IsElsewhere()
	return c.Close, nil
}
