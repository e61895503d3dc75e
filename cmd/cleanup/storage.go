package main

import (
	"context"
	"errors"
	"fmt"

	"podman-executor/internal/storage"
)

// freeStorage removes the builds and caches that have to go. What a job uses, or
// begins to use, stays.
func (h *housekeeping) freeStorage(ctx context.Context) error {
	store := storage.Store{Podman: h.podman, DataDir: h.policy.General.DataDir, Records: storage.RecordsIn(h.call.StateDir(h.policy))}
	items, err := store.Items(ctx)
	if err != nil {
		return err
	}
	if h.limits.Caches != nil {
		if err := store.Measure(ctx, items, func(i storage.Item) bool { return i.Role != "builds" }); err != nil {
			return err
		}
	}
	chosen := storage.Choose(items, h.limits, h.now)
	if err := store.Measure(ctx, chosen, func(i storage.Item) bool { return i.Size < 0 }); err != nil {
		// The sizes of builds are for the table only.
		h.log.WithError(err).Info("builds are not measured")
	}
	var problems []error
	for _, i := range chosen {
		if !h.dryRun {
			err := store.Free(ctx, i)
			if errors.Is(err, storage.ErrInUse) {
				continue
			}
			if err != nil {
				problems = append(problems, err)
				continue
			}
			h.log.Info("freed: " + i.Kind + " " + i.Name + ": " + i.Reason)
		}
		h.table.add(i.Kind, i.Name, "", i.Project, "", i.Reason, age(h.now.Sub(i.LastUse)), bytes(i.Size))
	}
	return errors.Join(problems...)
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
