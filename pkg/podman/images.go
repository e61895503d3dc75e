package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// StoredImage is one image of `podman images`.
type StoredImage struct {
	ID string `json:"Id"`
	// Names are all names that it has in the storage; an image whose names others
	// have taken over ("dangling") has none.
	Names []string `json:"Names"`
	// Size is in bytes; layers that other images have, too, count.
	Size int64 `json:"Size"`
	// Containers is how many containers have it, running or not.
	Containers int `json:"Containers"`
	// ReadOnly tells that it is in an additional store, which podman only reads.
	ReadOnly bool `json:"ReadOnly"`
}

// Images lists the images of the local storage, those without a name that others were
// made from ("intermediate"), too: an image becomes one when it loses its last name.
// podman 4.3 makes the tree of all layers anew for each image, twice: it takes 3 s for
// 330, whatever is asked of them, and nothing else tells names, size and containers of all.
func (p *Podman) Images(ctx context.Context) ([]StoredImage, error) {
	out, err := p.list(ctx, "image", "ls", "--all", "--no-trunc", "--format", "json")
	if err != nil {
		return nil, err
	}
	var lines, list []StoredImage
	if err := json.Unmarshal(out, &lines); err != nil {
		return nil, fmt.Errorf("podman image ls: reading its answer: %w", err)
	}
	// podman has a line for each name, with all names in each.
	for _, line := range lines {
		if !slices.ContainsFunc(list, func(i StoredImage) bool { return i.ID == line.ID }) {
			list = append(list, line)
		}
	}
	return list, nil
}

// ImageExists tells whether the local storage has the image of that ID.
func (p *Podman) ImageExists(ctx context.Context, id string) (bool, error) {
	_, err := p.Output(ctx, "image", "exists", "--", id)
	if isExit(err, 1) {
		return false, nil
	}
	return err == nil, err
}

// ErrImageInUse is the error of an image that a container has, running or not.
var ErrImageInUse = errors.New("the image is in use")

// RemoveImage removes an image with all its names, and none but this one, unless a
// container has it: podman itself looks. One that does not exist is no error. It may
// take as long as it does: stopped halfway, podman would leave layers without an
// image.
//
// podman removes what has several names only by force, which removes containers,
// too; so the names are taken away first.
func (p *Podman) RemoveImage(ctx context.Context, image StoredImage) error {
	patient := *p
	patient.Timeouts = Timeouts{}
	if len(image.Names) > 1 {
		if _, err := patient.Output(ctx, "untag", "--", image.ID); err != nil && !imageUnknown(err) {
			return err
		}
	}
	_, err := patient.Output(ctx, "image", "rm", "--no-prune", "--", image.ID)
	switch {
	case isExit(err, 2):
		return ErrImageInUse
	case imageUnknown(err):
		return nil
	}
	return err
}
