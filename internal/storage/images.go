package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"podman-executor/pkg/podman"
)

// An image has a record of its uses, and one of its pulls if prepare has pulled it: an image
// without it was built or loaded by somebody.
const (
	usedImage   = "image/"
	pulledImage = "pulled/"
)

// clockSlack is more than the time of a new file can be behind the clock: the kernel uses the
// time of its last tick, at most 10 ms ago.
const clockSlack = 100 * time.Millisecond

// HoldImage is [Records.Hold] for the image of that ID, which the caller began to look for at
// since. pulled means that its registry was asked for it.
//
// If sure is true the image was not removed meanwhile: a record is removed with its image, and
// this one is older than since. If not, the caller has to look for the image again; now nobody
// can remove it.
func (r Records) HoldImage(ctx context.Context, id string, since time.Time, pulled bool) (release func(), sure bool, err error) {
	release, before, err := r.hold(ctx, usedImage+id)
	if err != nil {
		return nil, false, err
	}
	if pulled {
		marked, err := r.Hold(ctx, pulledImage+id)
		if err != nil {
			release()
			return nil, false, err
		}
		marked()
	}
	return release, before.Before(since.Add(-clockSlack)), nil
}

// ImageRules say which images are never removed.
type ImageRules struct {
	// Own are the names of those that the administrator has chosen.
	Own []string
	// Every includes images that prepare did not pull.
	Every bool
}

// keptName begins names that no registry has. An image with one was built here, or somebody
// has named it so to keep it.
const keptName = "localhost/"

// Images returns the images that may be removed. An image that no job has used yet counts as
// used now. The records of images that no longer exist are removed.
func (s Store) Images(ctx context.Context, rules ImageRules) ([]Item, error) {
	// Before the list: an image that comes in between must not lose its record.
	uses, err := s.Records.LastUses()
	if err != nil {
		return nil, err
	}
	list, unreadable, err := s.stored(ctx, uses)
	if err != nil {
		return nil, fmt.Errorf("looking for images: %w", err)
	}
	if err := s.Records.forgetImages(uses, list); err != nil {
		return nil, err
	}
	own, err := s.ids(ctx, rules.Own)
	if err != nil {
		return nil, err
	}
	var items []Item
	for _, image := range list {
		_, pulled := uses[pulledImage+image.ID]
		kept := slices.ContainsFunc(image.Names, func(name string) bool { return strings.HasPrefix(name, keptName) })
		if image.ReadOnly || kept || slices.Contains(own, image.ID) || !pulled && !rules.Every {
			continue
		}
		lastUse, used := uses[usedImage+image.ID]
		if !used {
			if lastUse, err = s.Records.firstSeen(ctx, image.ID); err != nil {
				return nil, err
			}
		}
		items = append(items, Item{
			Kind: "image", Record: usedImage + image.ID, Name: imageName(image),
			LastUse: lastUse, Size: image.Size, Used: image.Containers > 0, unreadable: unreadable[image.ID], image: image,
		})
	}
	return items, nil
}

// listTries is how often podman is asked for the list of all images, if that fails for an image
// that is gone when podman is then asked for it alone.
const listTries = 3

// stored returns the images of the storage, and the IDs of those that podman cannot read.
//
// If podman cannot read one image, which any job may have pulled, it lists none. Then podman is
// asked for each image that has a record, and for those that its error names. Other images have
// to wait until that one is removed.
func (s Store) stored(ctx context.Context, uses map[string]time.Time) (list []podman.StoredImage, unreadable map[string]bool, err error) {
	var failure error
	for range listTries {
		if list, failure = s.Podman.Images(ctx); !podman.Failed(failure) {
			return list, nil, failure
		}
		list, unreadable, err = s.oneByOne(ctx, uses, podman.ImagesNamed(failure))
		if err != nil || len(unreadable) > 0 {
			s.note(failure)
			return list, unreadable, err
		}
	}
	return nil, nil, failure
}

// oneByOne asks for the images that have a record, and for those of the IDs.
func (s Store) oneByOne(ctx context.Context, uses map[string]time.Time, ids []string) (list []podman.StoredImage, unreadable map[string]bool, err error) {
	for record := range uses {
		if id, ok := imageOf(record); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	unreadable = map[string]bool{}
	for _, id := range slices.Compact(ids) {
		image, err := s.Podman.StoredImage(ctx, id)
		switch {
		case errors.Is(err, podman.ErrNoImage):
			continue
		case errors.Is(err, podman.ErrImageUnreadable):
			image, unreadable[id] = podman.StoredImage{ID: id, Size: -1}, true
		case err != nil:
			return nil, nil, err
		}
		list = append(list, image)
	}
	return list, unreadable, nil
}

// imageOf returns the ID of the image that a record belongs to.
func imageOf(record string) (id string, ok bool) {
	if id, ok = strings.CutPrefix(record, usedImage); !ok {
		id, ok = strings.CutPrefix(record, pulledImage)
	}
	return id, ok
}

// note reports to the administrator what was skipped.
func (s Store) note(err error) {
	if s.Passed != nil {
		s.Passed(err)
	}
}

// imageName returns the name by which people know an image.
func imageName(image podman.StoredImage) string {
	if len(image.Names) > 0 {
		return slices.Min(image.Names)
	}
	return image.ID[:min(len(image.ID), 12)]
}

// ids returns the IDs of those of the images that are in the storage.
func (s Store) ids(ctx context.Context, names []string) ([]string, error) {
	var ids []string
	for _, name := range names {
		image, err := s.Podman.Local(ctx, name, podman.Platform{})
		switch {
		case errors.Is(err, podman.ErrNoImage):
			continue
		case err != nil:
			return nil, fmt.Errorf("looking for the image %s of the policy: %w", name, err)
		}
		ids = append(ids, image.ID)
	}
	return ids, nil
}

// firstSeen makes a record for an image that has none.
func (r Records) firstSeen(ctx context.Context, id string) (time.Time, error) {
	release, err := r.Hold(ctx, usedImage+id)
	if err != nil {
		return time.Time{}, err
	}
	defer release()
	info, err := os.Stat(r.file(usedImage + id))
	if err != nil {
		return time.Time{}, fmt.Errorf("recording that an image is there: %w", err)
	}
	return info.ModTime(), nil
}

// forgetImages removes the records of images that are not in podman's storage.
func (r Records) forgetImages(uses map[string]time.Time, list []podman.StoredImage) error {
	there := map[string]bool{}
	for _, image := range list {
		there[image.ID] = true
	}
	for record, lastUse := range uses {
		if id, isImage := imageOf(record); !isImage || there[id] {
			continue
		}
		err := r.Free(record, lastUse, func() error { return nil })
		if err != nil && !errors.Is(err, ErrInUse) {
			return fmt.Errorf("forgetting an image that is gone: %w", err)
		}
	}
	return nil
}

// freeImage removes an image whose record is locked.
// FreeImage removes the image of that ID, whatever names it has. The error is [ErrInUse] if a job is
// about to use it, or a container does.
func (s Store) FreeImage(ctx context.Context, id string) error {
	lastUse, err := s.Records.firstSeen(ctx, id)
	if err != nil {
		return err
	}
	return s.Records.Free(usedImage+id, lastUse, func() error {
		// Before the names are removed: podman refuses only after that.
		used, err := s.Podman.ImageUsed(ctx, id)
		if err == nil && used {
			err = ErrInUse
		}
		if err != nil {
			return err
		}
		return s.freeImage(ctx, Item{image: podman.StoredImage{ID: id, Names: make([]string, 2)}})
	})
}

func (s Store) freeImage(ctx context.Context, i Item) error {
	err := s.Podman.RemoveImage(ctx, i.image)
	if errors.Is(err, podman.ErrImageInUse) {
		return ErrInUse
	}
	if err != nil {
		return err
	}
	err = os.Remove(s.Records.file(pulledImage + i.image.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
