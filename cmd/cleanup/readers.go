package main

import (
	"context"
	"fmt"
	"path/filepath"

	"podman-executor/internal/driver"
	"podman-executor/internal/images"
)

// forgetReaders removes the records of who may read repositories of which nothing is in
// the storage of any podman of the policy, where this call looks for images at all.
func (h *housekeeping) forgetReaders(ctx context.Context) error {
	if h.dryRun || h.limits.ImagesUnused == nil && h.below == 0 {
		return nil
	}
	readers := images.Readers{Dir: filepath.Join(h.call.StateDir(h.policy), "private-images")}
	err := readers.Forget(driver.RuntimeDir(h.podman)+"-locks", h.now, func() (map[string]bool, error) {
		stored := map[string]bool{}
		err := h.everywhere(ctx, func(ctx context.Context) error {
			list, err := h.podman.Images(ctx)
			for _, image := range list {
				for _, name := range image.Names {
					stored[images.RepositoryOf(name)] = true
				}
			}
			return err
		})
		return stored, err
	})
	if err != nil {
		return fmt.Errorf("forgetting who may read images that are gone: %w", err)
	}
	return nil
}
