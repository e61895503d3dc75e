package housekeeping

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"podman-executor/internal/driver"
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
	if !k.tooFull(info) {
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
		if !k.tooFull(info) {
			return rows, errors.Join(problems...)
		}
	}
	return rows, errors.Join(append(problems, stillTooFull(info))...)
}

func (k *keeper) tooFull(info podman.Info) bool {
	return float64(info.GraphUsed)/float64(info.GraphAllocated) > float64(k.options.StorageBelow)/100
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

func stillTooFull(info podman.Info) error {
	return &driver.Fault{
		Err: fmt.Errorf("the file system of podman's storage is still %d %% full, and nothing more can be removed", info.GraphUsed*100/info.GraphAllocated),
		Hint: "see what takes up the space (`podman system df`; `df` and `du` for other files in " + info.GraphRoot +
			"), or use a larger disk",
	}
}
