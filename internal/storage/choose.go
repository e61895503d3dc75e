package storage

import (
	"cmp"
	"slices"
	"time"

	"podman-executor/pkg/podman"
)

// Item is a volume, a directory below data_dir, or an image that jobs have used.
type Item struct {
	// Kind is "volume", "directory" or "image".
	Kind string
	// Role is "builds", "cache", or "volume" for one that the policy gives a project;
	// an image has none.
	Role string
	// Record is the name of its record, Name the volume's name, the directory's path, or
	// one of the image's names.
	Record, Name string
	// Project is the project's id; an image belongs to none.
	Project string
	LastUse time.Time
	// Dir is where its files are, Size the disk space that they take, in bytes; negative if
	// that is not known.
	Dir  string
	Size int64
	// Used means that a container uses it, with a mount at the path mount.
	Used  bool
	mount string
	// Reason is why it was chosen.
	Reason string
	// unreadable means that podman has the image and cannot read it, so no job can use it.
	unreadable bool
	image      podman.StoredImage
}

// IsCache reports whether [Limits.Caches] applies to it.
func (i Item) IsCache() bool { return i.Role == "cache" || i.Role == "volume" }

// Limits say what may stay.
type Limits struct {
	// BuildsUnused is the longest time for which builds may be unused; nil means no limit.
	BuildsUnused *time.Duration
	// Caches is how many bytes caches and volumes of projects may take together. If they take
	// more, the least recently used are removed; nil means no limit.
	Caches *int64
	// ImagesUnused is the longest time for which images may be unused; nil means no limit.
	ImagesUnused *time.Duration
}

// Why an item is chosen.
const (
	unused      = "builds unused"
	overfull    = "caches over limit; least recently used"
	unusedImage = "image unused"
	noUse       = "podman cannot read it, and cannot list images while it exists"
	diskFull    = "disk over limit; least recently used"
)

// IdleBuilds returns up to n builds that no container uses, the least recently used first.
func IdleBuilds(items []Item, n int) []Item {
	idle := slices.DeleteFunc(slices.Clone(items), func(i Item) bool { return i.Used || i.Role != "builds" })
	slices.SortFunc(idle, byLastUse)
	return idle[:min(n, len(idle))]
}

// Choose returns the items that have to be removed, the least recently used first. Items that a
// container uses are not removed, but their size counts.
func Choose(items []Item, limits Limits, now time.Time) []Item {
	sorted := slices.SortedFunc(slices.Values(items), byLastUse)
	var caches int64
	for _, i := range sorted {
		if i.IsCache() {
			caches += max(i.Size, 0)
		}
	}
	var chosen []Item
	for _, i := range sorted {
		switch {
		case i.Used:
			continue
		case i.Role == "builds" && longer(now.Sub(i.LastUse), limits.BuildsUnused):
			i.Reason = unused
		case i.unreadable && limits.ImagesUnused != nil:
			i.Reason = noUse
		case i.Kind == "image" && longer(now.Sub(i.LastUse), limits.ImagesUnused):
			i.Reason = unusedImage
		case i.IsCache() && limits.Caches != nil && i.Size > 0 && caches > *limits.Caches:
			i.Reason = overfull
			caches -= i.Size
		default:
			continue
		}
		chosen = append(chosen, i)
	}
	return chosen
}

// longer reports whether a time is longer than a limit. Every time counts as longer than 0,
// even a negative one: then the item was used after the call began.
func longer(d time.Duration, limit *time.Duration) bool {
	return limit != nil && (d > *limit || *limit == 0)
}

func byLastUse(a, b Item) int {
	return cmp.Or(a.LastUse.Compare(b.LastUse), cmp.Compare(a.Record, b.Record))
}

// ForSpace returns the items that may be removed to free disk space, in the order that costs
// jobs least: images, of which a registry has a copy, then builds and caches, which take time
// to make again; of each, the least recently used first.
func ForSpace(items []Item) []Item {
	var chosen []Item
	for _, i := range items {
		if !i.Used {
			i.Reason = diskFull
			chosen = append(chosen, i)
		}
	}
	slices.SortFunc(chosen, func(a, b Item) int {
		if image := a.Kind == "image"; image != (b.Kind == "image") {
			if image {
				return -1
			}
			return 1
		}
		return byLastUse(a, b)
	})
	return chosen
}
