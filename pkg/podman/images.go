package podman

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// StoredImage is one image of `podman images`.
type StoredImage struct {
	ID string
	// Names are all its names in the storage. A "dangling" image, whose names other images have
	// taken over, has none. In a name with a digest, the digest is the image's own.
	Names []string
	// Size is in bytes, and includes layers shared with other images.
	Size int64
	// Containers is how many containers use it, running or not.
	Containers int
	// ReadOnly reports whether it is in an additional store, which podman only reads.
	ReadOnly bool
}

// imageLine is a line of `podman image ls`. podman prints one for each name of an image. It
// could also print all names in each line, but then an image with 1,000 names would print
// 1,000,000.
type imageLine struct {
	ID, Repository, Tag, Digest string
	Size                        int64
	Containers                  int
	ReadOnly                    bool
}

var imageFormat = `{"ID": {{json .ImageSummary.ID}}, "Repository": ` + text(".Repository") + `, "Tag": ` + text(".Tag") +
	`, "Digest": {{json .ImageSummary.Digest}}, "Size": {{.ImageSummary.Size}}, "Containers": {{.ImageSummary.Containers}}, "ReadOnly": {{.ImageSummary.ReadOnly}}}`

// none is what podman prints for a missing name.
const none = "<none>"

func (l imageLine) name() string {
	switch {
	case l.Repository == none || l.Repository == "":
		return ""
	case l.Tag == none || l.Tag == "":
		return l.Repository + "@" + l.Digest
	}
	return l.Repository + ":" + l.Tag
}

// Images lists the images of the local storage, including "intermediate" ones, which have no
// name and which others were built from: an image becomes one when it loses its last name.
// podman 4.3 rebuilds the tree of all layers twice for each image, so it takes 3 s for 330
// images whatever is queried. No other command has the names, sizes and containers of all
// images.
//
// A single image that podman cannot read makes the whole list fail: see [ImagesNamed].
func (p *Podman) Images(ctx context.Context) ([]StoredImage, error) { return p.storedImages(ctx) }

// ErrImageUnreadable is the error of an image that podman has but cannot read.
var ErrImageUnreadable = errors.New("podman cannot read the image's configuration")

// StoredImage is [Podman.Images] for one image, by its ID. Other images cannot make it fail.
// Its errors are [ErrNoImage] and [ErrImageUnreadable].
func (p *Podman) StoredImage(ctx context.Context, id string) (StoredImage, error) {
	list, err := p.storedImages(ctx, "--filter", "id="+id)
	if isExit(err, ExitPodman) {
		there, existsErr := p.ImageExists(ctx, id)
		switch {
		case existsErr != nil:
			return StoredImage{}, err
		case there:
			return StoredImage{}, fmt.Errorf("%w: %w", ErrImageUnreadable, err)
		}
		list, err = nil, nil
	}
	if err != nil {
		return StoredImage{}, err
	}
	// podman also accepts the beginning of an ID.
	i := slices.IndexFunc(list, func(i StoredImage) bool { return i.ID == id })
	if i < 0 {
		return StoredImage{}, fmt.Errorf("%w: %s", ErrNoImage, id)
	}
	return list[i], nil
}

func (p *Podman) storedImages(ctx context.Context, filter ...string) ([]StoredImage, error) {
	args := append([]string{"image", "ls", "--all", "--no-trunc"}, filter...)
	rows, err := listed[imageLine](ctx, p, append(args, "--format", imageFormat)...)
	var list []StoredImage
	seen := map[string]int{}
	for _, line := range rows {
		at, ok := seen[line.ID]
		if !ok {
			at = len(list)
			seen[line.ID] = at
			list = append(list, StoredImage{ID: line.ID, Size: line.Size, Containers: line.Containers, ReadOnly: line.ReadOnly})
		}
		if name := line.name(); name != "" {
			list[at].Names = append(list[at].Names, name)
		}
	}
	return list, err
}

// ImageExists reports whether the local storage has the image of that ID.
func (p *Podman) ImageExists(ctx context.Context, id string) (bool, error) {
	_, err := p.Output(ctx, "image", "exists", "--", id)
	if isExit(err, 1) {
		return false, nil
	}
	return err == nil, err
}

// RemoveName removes a name of an image, and the image if that was its last name, unless a
// container uses it. A name that does not exist is not an error.
func (p *Podman) RemoveName(ctx context.Context, name string) error {
	_, err := p.patient().Output(ctx, "image", "rm", "--no-prune", "--", name)
	if imageUnknown(err) {
		return nil
	}
	return err
}

// ErrImageInUse is the error of an image that a container uses, running or not.
var ErrImageInUse = errors.New("the image is in use")

// RemoveImage removes an image with all its names, and no other image, unless a container uses
// it: podman itself checks that. An image that does not exist is not an error. It has no time
// limit: if stopped halfway, podman would leave layers without an image.
//
// podman removes an image with several names only with --force, which also removes
// containers; so the names are removed first.
func (p *Podman) RemoveImage(ctx context.Context, image StoredImage) error {
	if len(image.Names) > 1 {
		if _, err := p.patient().Output(ctx, "untag", "--", image.ID); err != nil && !imageUnknown(err) {
			return err
		}
	}
	_, err := p.patient().Output(ctx, "image", "rm", "--no-prune", "--", image.ID)
	switch {
	case isExit(err, 2):
		return ErrImageInUse
	case imageUnknown(err):
		return nil
	}
	return err
}

// ImageUsed reports whether a container uses the image of that ID.
func (p *Podman) ImageUsed(ctx context.Context, id string) (bool, error) {
	list, err := listed[struct{ ID string }](ctx, p, "ps", "--all", "--no-trunc", "--filter", "ancestor="+id, "--format", `{"ID": {{json .ListContainer.ID}}}`)
	return len(list) > 0, err
}

// RepositoryImages returns the IDs of the images of the local storage that have a name of that
// repository, such as "registry.example.com/team/app", with any tag or digest. podman inspects
// only these, so images of other repositories cannot make it fail (containers/common
// libimage/filters.go, filterReferences).
func (p *Podman) RepositoryImages(ctx context.Context, repository string) ([]string, error) {
	// podman takes it as a pattern. Brackets are part of an IPv6 address.
	pattern := strings.NewReplacer(`[`, `\[`, `]`, `\]`).Replace(repository)
	rows, err := listed[struct{ ID string }](ctx, p, "image", "ls", "--no-trunc", "--filter", "reference="+pattern, "--format", `{"ID": {{json .ImageSummary.ID}}}`)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = strings.TrimPrefix(row.ID, "sha256:")
		if !isID.MatchString(ids[i]) {
			return nil, fmt.Errorf("podman image ls: no ID in its output")
		}
	}
	return ids, nil
}
