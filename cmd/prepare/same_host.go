package main

import (
	"context"

	"podman-executor/internal/preflight"
	"podman-executor/internal/samehost"
	"podman-executor/internal/spec"
)

// hostGateway is podman's word for the address by which a container reaches the host. Before 5.3
// it is not known for pasta, and before 4.7 not at all (podman pull requests 19152, 23791).
const hostGateway = "host-gateway"

var gatewayFrom = preflight.Version{5, 3, 0}

// withSameHost returns the facts with the names of GitLab that lead to this machine. On a podman
// of another machine they lead there as they should.
func withSameHost(ctx context.Context, in inputs, f spec.Facts, podmanVersion string) spec.Facts {
	if f.Podman.URL != "" {
		return f
	}
	names := samehost.Here(ctx, samehost.Names(in.variable("CI_SERVER_URL"), in.variable("CI_REPOSITORY_URL")))
	if len(names) == 0 {
		return f
	}
	f.SameHost = names
	if v, ok := preflight.ParseVersion(podmanVersion); ok && !v.Before(gatewayFrom) {
		f.Gateway = hostGateway
	} else if address, ok := samehost.Address(); ok {
		f.Gateway = address.String()
	}
	in.log.WithField("names", names).WithField("address", f.Gateway).Info("GitLab is on this machine")
	return f
}
