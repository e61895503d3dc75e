package podman

import (
	"context"
	"strings"
)

// TryImage tries whether podman can make a container from the image of that ID in its storage, and
// returns what podman says if it cannot. Nothing of the image runs, and nothing else that a job
// chooses has a say: the container starts a program that is not there.
func (p *Podman) TryImage(ctx context.Context, id string) error {
	_, err := p.Output(ctx, "run", "--rm", "--pull=never", "--network=none", "--http-proxy=false", "--no-healthcheck", "--image-volume=ignore",
		"--log-driver=none", "--user=0", "--workdir=/", "--entrypoint=/podman-executor-no-such-program", "--", id)
	if isExit(err, ExitNotFound) {
		return nil
	}
	return err
}

// TryLock tries whether podman has a lock left for another volume, by making one and removing it.
func (p *Podman) TryLock(ctx context.Context) error {
	name, err := p.Output(ctx, "volume", "create")
	if err != nil {
		return err
	}
	return p.RemoveVolume(context.WithoutCancel(ctx), strings.TrimSpace(string(name)))
}
