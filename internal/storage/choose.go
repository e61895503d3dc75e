package storage

import (
	"cmp"
	"slices"
	"time"
)

// Item is a volume, or a directory below data_dir, that jobs have used.
type Item struct {
	// Kind is "volume" or "directory".
	Kind string
	// Role is "builds", "cache", or "volume" for one that the policy gives a project.
	Role string
	// Record is the name of its record, Name the volume's name or the directory's path.
	Record, Name string
	// Project is the project's id.
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
}

// Limits say what may stay.
type Limits struct {
	// Builds that were not used for longer than BuildsUnused go; nil: none does.
	BuildsUnused *time.Duration
	// Caches, with the volumes of projects, may take so many bytes together; where
	// they take more, those that were not used for longest go; nil: none does.
	Caches *int64
}

// Why an item is chosen.
const (
	unused   = "its builds were not used for long"
	overfull = "the caches are too large, and it was not used for longest"
)

// Choose returns the items that have to go, those that were not used for longest
// first. What a container has stays, and counts.
func Choose(items []Item, limits Limits, now time.Time) []Item {
	sorted := slices.SortedFunc(slices.Values(items), func(a, b Item) int {
		return cmp.Or(a.LastUse.Compare(b.LastUse), cmp.Compare(a.Record, b.Record))
	})
	var caches int64
	for _, i := range sorted {
		if i.Role != "builds" {
			caches += max(i.Size, 0)
		}
	}
	var chosen []Item
	for _, i := range sorted {
		switch {
		case i.Used:
			continue
		case i.Role == "builds" && limits.BuildsUnused != nil && now.Sub(i.LastUse) > *limits.BuildsUnused:
			i.Reason = unused
		case i.Role != "builds" && limits.Caches != nil && i.Size > 0 && caches > *limits.Caches:
			i.Reason = overfull
			caches -= i.Size
		default:
			continue
		}
		chosen = append(chosen, i)
	}
	return chosen
}
