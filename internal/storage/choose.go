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
	// Dir is where its files are, Size the disk space that they take, in bytes;
	// negative where that is not known.
	Dir  string
	Size int64
	// Used tells that a container has it; mount is where it would have it.
	Used  bool
	mount string
	// Reason is why it was chosen.
	Reason string
	// unreadable tells that podman has the image, and cannot read it: no job can use it.
	unreadable bool
	image      podman.StoredImage
}

// IsCache tells whether it is one of those that [Limits.Caches] holds for.
func (i Item) IsCache() bool { return i.Role == "cache" || i.Role == "volume" }

// Limits say what may stay.
type Limits struct {
	// Builds that were not used for longer than BuildsUnused go; nil: none does.
	BuildsUnused *time.Duration
	// Caches, with the volumes of projects, may take so many bytes together; where
	// they take more, those that were not used for longest go; nil: none does.
	Caches *int64
	// Images that were not used for longer than ImagesUnused go; nil: none does.
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

// Choose returns the items that have to go, those that were not used for longest
// first. What a container has stays, and counts.
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

// longer tells whether a time is longer than a limit. Every time is longer than 0, also
// one that has not begun when the call did.
func longer(d time.Duration, limit *time.Duration) bool {
	return limit != nil && (d > *limit || *limit == 0)
}

func byLastUse(a, b Item) int {
	return cmp.Or(a.LastUse.Compare(b.LastUse), cmp.Compare(a.Record, b.Record))
}

// ForSpace returns the items that may go for the space that they take, in the order
// that costs jobs least: images, of which a registry has a copy, then builds and
// caches, which cost time to make again. Of either, those that were not used for
// longest go first.
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
