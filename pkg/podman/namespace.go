package podman

import (
	"context"
)

// RunInNamespace runs a program where podman sees the host's files: for rootless
// podman in its user and mount namespaces, which last from command to command; as
// root without a namespace. A podman service has no such place.
func (p *Podman) RunInNamespace(ctx context.Context, program string, args ...string) error {
	local := *p
	local.URL = ""
	_, err := local.Output(ctx, append([]string{"unshare", "--", program}, args...)...)
	if stderrHas(err, notRootless) {
		local.Program = program
		_, err = local.Output(ctx, args...)
	}
	return err
}
