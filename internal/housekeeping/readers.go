package housekeeping

import (
	"context"
	"fmt"

	"podman-executor/internal/images"
	"podman-executor/pkg/podman"
)

// forgetReaders removes the records of who may read a repository if no podman of the policy has
// an image of it in its storage. It does nothing if this call does not look at images.
func (k *keeper) forgetReaders(ctx context.Context) error {
	if k.options.DryRun || k.options.Limits.ImagesUnused == nil && k.options.StorageBelow == 0 {
		return nil
	}
	readers := images.ReadersIn(k.stateDir())
	err := readers.Forget(k.locks(), k.now, func() (map[string]bool, error) {
		stored := map[string]bool{}
		err := k.eachPodman(ctx, func(ctx context.Context, t target) error {
			list, err := t.podman.Images(ctx)
			for _, image := range list {
				for _, name := range image.Names {
					stored[name] = true
				}
			}
			return err
		})
		return stored, err
	})
	if podman.Failed(err) {
		// If podman cannot list images, they are removed one by one, and no records are
		// forgotten.
		k.log.WithError(err).Warn("records of who may read removed images are kept: podman cannot list images")
		return nil
	}
	if err != nil {
		return fmt.Errorf("forgetting who may read removed images: %w", err)
	}
	return nil
}
