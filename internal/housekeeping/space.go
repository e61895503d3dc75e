package housekeeping

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"podman-executor/internal/driver"
	"podman-executor/internal/preflight"
	"podman-executor/internal/storage"
	"podman-executor/pkg/podman"
)

// makeRoom removes what no job uses until podman's storage is below the limit. It asks podman
// how full the storage is, because that also works for a service's machine.
func (k *keeper) makeRoom(ctx context.Context, t target) ([]row, error) {
	info, err := t.podman.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking how full podman's storage is: %w", err)
	}
	if info.GraphAllocated <= 0 {
		return nil, errors.New("podman does not report how full its storage is")
	}
	if !k.tooFull(t, info) {
		return nil, nil
	}
	store := k.store(t)
	chosen, err := k.forSpace(ctx, t, store, info)
	if err != nil {
		return nil, err
	}
	var rows []row
	var problems []error
	for _, i := range chosen {
		removed, err := k.free(ctx, store, i)
		if err != nil {
			problems = append(problems, err)
		}
		if !removed {
			continue
		}
		rows = append(rows, k.itemRow(i))
		if k.options.DryRun {
			info.GraphUsed -= max(i.Size, 0)
		} else if info, err = t.podman.Info(ctx); err != nil {
			return rows, errors.Join(append(problems, fmt.Errorf("asking how full podman's storage is: %w", err))...)
		}
		if !k.tooFull(t, info) {
			return rows, errors.Join(problems...)
		}
	}
	return rows, errors.Join(append(problems, stillTooFull(t, info))...)
}

func (k *keeper) tooFull(t target, info podman.Info) bool {
	limit := float64(k.options.StorageBelow) / 100
	return float64(info.GraphUsed)/float64(info.GraphAllocated) > limit || inodesUsed(t, info) > limit
}

// inodesUsed returns the part of the inodes of the storage's file system that is used, from 0 to
// 1. It is 0 where it has no fixed number of them, and on another machine.
func inodesUsed(t target, info podman.Info) float64 {
	if t.podman.URL != "" {
		return 0
	}
	room, err := preflight.ReadRoom(info.GraphRoot)
	if err != nil || room.AllInodes == 0 {
		return 0
	}
	return 1 - float64(room.Inodes)/float64(room.AllInodes)
}

// forSpace returns what may be removed to free disk space, in that order.
func (k *keeper) forSpace(ctx context.Context, t target, store storage.Store, info podman.Info) ([]storage.Item, error) {
	images, err := store.Images(ctx, k.imageRules())
	if err != nil {
		return nil, err
	}
	items, err := store.Items(ctx)
	if err != nil {
		return nil, err
	}
	items = slices.DeleteFunc(items, func(i storage.Item) bool { return !besideStorage(t, i, info.GraphRoot) })
	chosen := storage.ForSpace(append(images, items...))
	if err := store.Measure(ctx, chosen, unmeasured); err != nil {
		k.log.WithError(err).Info("builds and caches are not measured")
	}
	return chosen, nil
}

// besideStorage reports whether an item takes space on the file system of podman's storage:
// data_dir may be on another one. A service's paths may be another machine's, so its volumes
// are assumed to be in the storage, where podman puts them.
func besideStorage(t target, i storage.Item, graphRoot string) bool {
	if t.podman.URL != "" {
		return i.Kind == "volume"
	}
	item, err := device(i.Dir)
	root, rootErr := device(graphRoot)
	return err == nil && rootErr == nil && item == root
}

func device(name string) (uint64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return uint64(info.Sys().(*syscall.Stat_t).Dev), nil
}

func stillTooFull(t target, info podman.Info) error {
	full, what := info.GraphUsed*100/info.GraphAllocated, "full"
	if inodes := int64(inodesUsed(t, info) * 100); inodes > full {
		full, what = inodes, "full by its number of inodes (`df -i`)"
	}
	return &driver.Fault{
		Err: fmt.Errorf("the file system of podman's storage is still %d %% %s, and nothing more can be removed", full, what),
		Hint: "see what takes up the space (`podman system df`; `df` and `du` for other files in " + info.GraphRoot +
			"), or use a larger disk",
	}
}
