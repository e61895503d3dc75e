package housekeeping

import (
	"context"
	"errors"
	"fmt"

	"podman-executor/internal/storage"
)

// freeStorage removes the builds, caches and images that exceed the limits. What a job uses, or
// begins to use, stays.
func (k *keeper) freeStorage(ctx context.Context, t target) ([]row, error) {
	store := k.store(t)
	items, err := k.limitedItems(ctx, store)
	if err != nil {
		return nil, err
	}
	if k.options.Limits.Caches != nil {
		if err := store.Measure(ctx, items, storage.Item.IsCache); err != nil {
			return nil, err
		}
	}
	chosen := storage.Choose(items, k.options.Limits, k.now)
	if err := store.Measure(ctx, chosen, unmeasured); err != nil {
		// The sizes of builds are for the table only.
		k.log.WithError(err).Info("builds are not measured")
	}
	var rows []row
	var problems []error
	for _, i := range chosen {
		removed, err := k.free(ctx, store, i)
		if removed {
			rows = append(rows, k.itemRow(i))
		}
		problems = append(problems, err)
	}
	return rows, errors.Join(problems...)
}

func (k *keeper) store(t target) storage.Store {
	return storage.Store{
		Podman: t.podman, DataDir: k.policy.General.DataDir, Records: storage.RecordsIn(k.stateDir()),
		Passed: func(err error) {
			k.log.WithError(err).Warn("podman cannot list images: only those with a record, and those that its error names, are considered")
		},
	}
}

// limitedItems returns the items to which a limit may apply.
func (k *keeper) limitedItems(ctx context.Context, store storage.Store) (items []storage.Item, err error) {
	if k.options.Limits.ImagesUnused != nil {
		if items, err = store.Images(ctx, k.imageRules()); err != nil {
			return nil, err
		}
	}
	if k.options.Limits.BuildsUnused == nil && k.options.Limits.Caches == nil {
		return items, nil
	}
	more, err := store.Items(ctx)
	return append(items, more...), err
}

func (k *keeper) imageRules() storage.ImageRules {
	rules := storage.ImageRules{Every: k.options.AllImages}
	for _, image := range k.policy.Images() {
		rules.Own = append(rules.Own, image.String())
	}
	return rules
}

func unmeasured(i storage.Item) bool { return i.Size < 0 }

// free removes an item, unless a job uses it by now. It reports whether it removed the item, or
// would have in a dry run.
func (k *keeper) free(ctx context.Context, store storage.Store, i storage.Item) (bool, error) {
	if !k.options.DryRun {
		err := store.Free(ctx, i)
		if errors.Is(err, storage.ErrInUse) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		k.log.Info("freed: " + i.Kind + " " + i.Name + ": " + i.Reason)
	}
	return true, nil
}

// itemRow returns the row of an item that was, or would be, removed.
func (k *keeper) itemRow(i storage.Item) row {
	return row{kind: i.Kind, name: i.Name, project: i.Project, reason: i.Reason, age: age(k.now.Sub(i.LastUse)), size: bytes(i.Size)}
}

// bytes formats a number of bytes for people: "1.5 GiB"; empty if it is not known.
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
