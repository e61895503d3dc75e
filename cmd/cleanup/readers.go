package main

import (
	"context"
	"fmt"

	"podman-executor/internal/images"
	"podman-executor/internal/job"
	"podman-executor/internal/site"
	"podman-executor/pkg/podman"
)

// forgetReaders removes the records of who may read repositories of which nothing is in
// the storage of any podman of the policy, where this call looks for images at all.
func (h *housekeeping) forgetReaders(ctx context.Context) error {
	if h.dryRun || h.limits.ImagesUnused == nil && h.below == 0 {
		return nil
	}
	readers := images.ReadersIn(site.StateDir(h.call, h.policy))
	err := readers.Forget(h.locks(), h.now, func() (map[string]bool, error) {
		stored := map[string]bool{}
		err := h.everywhere(ctx, func(ctx context.Context) error {
			list, err := h.podman.Images(ctx)
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
		// Where podman lists no images, those are removed one by one; nothing is forgotten then.
		h.log.WithError(err).Warn("records of who may read images that are gone stay: podman lists no images")
		return nil
	}
	if err != nil {
		return fmt.Errorf("forgetting who may read images that are gone: %w", err)
	}
	return nil
}

// locks is the directory of the locks of pulls.
func (h *housekeeping) locks() string { return job.RuntimeDir(h.podman.Getenv) + "-locks" }
