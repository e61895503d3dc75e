package main

import (
	"context"
	"errors"
	"fmt"

	"podman-executor/internal/site"
	"podman-executor/internal/storage"
)

// freeStorage removes the builds, caches and images that have to go. What a job uses,
// or begins to use, stays.
func (h *housekeeping) freeStorage(ctx context.Context) error {
	store := h.store()
	items, err := h.limitedItems(ctx, store)
	if err != nil {
		return err
	}
	if h.limits.Caches != nil {
		if err := store.Measure(ctx, items, storage.Item.IsCache); err != nil {
			return err
		}
	}
	chosen := storage.Choose(items, h.limits, h.now)
	if err := store.Measure(ctx, chosen, unmeasured); err != nil {
		// The sizes of builds are for the table only.
		h.log.WithError(err).Info("builds are not measured")
	}
	var problems []error
	for _, i := range chosen {
		if _, err := h.free(ctx, store, i); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

func (h *housekeeping) store() storage.Store {
	return storage.Store{
		Podman: h.podman, DataDir: h.policy.General.DataDir, Records: storage.RecordsIn(site.StateDir(h.call, h.policy)),
		Passed: func(err error) {
			h.log.WithError(err).Warn("podman lists no images: only those with a record, and those that it names, are looked at")
		},
	}
}

// limitedItems are those that a limit may hold for.
func (h *housekeeping) limitedItems(ctx context.Context, store storage.Store) (items []storage.Item, err error) {
	if h.limits.ImagesUnused != nil {
		if items, err = store.Images(ctx, h.imageRules()); err != nil {
			return nil, err
		}
	}
	if h.limits.BuildsUnused == nil && h.limits.Caches == nil {
		return items, nil
	}
	more, err := store.Items(ctx)
	return append(items, more...), err
}

func (h *housekeeping) imageRules() storage.ImageRules {
	rules := storage.ImageRules{Every: h.allImages}
	for _, image := range h.policy.Images() {
		rules.Own = append(rules.Own, image.String())
	}
	return rules
}

func unmeasured(i storage.Item) bool { return i.Size < 0 }

// free removes an item, unless a job uses it by now, and tells whether it did, or
// would.
func (h *housekeeping) free(ctx context.Context, store storage.Store, i storage.Item) (bool, error) {
	if !h.dryRun {
		err := store.Free(ctx, i)
		if errors.Is(err, storage.ErrInUse) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		h.log.Info("freed: " + i.Kind + " " + i.Name + ": " + i.Reason)
	}
	h.table.add(i.Kind, i.Name, "", i.Project, "", i.Reason, age(h.now.Sub(i.LastUse)), bytes(i.Size))
	return true, nil
}

// bytes is a number of bytes as people read it: "1.5 GiB"; empty where it is not
// known.
func bytes(n int64) string {
	if n < 0 {
		return ""
	}
	size, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for size >= 1024 && len(units) > 1 {
		size, units = size/1024, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, units[0])
}
