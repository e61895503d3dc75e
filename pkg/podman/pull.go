package podman

import (
	"context"
	"errors"
	"fmt"
)

// Pull is `podman image pull`.
type Pull struct {
	// Platform is the zero Platform for the machine's own.
	Platform Platform
	// AuthFile has the credentials; empty: podman looks for its own.
	AuthFile string
	// Name is fully qualified.
	Name string
}

// Args returns the command line.
func (p Pull) Args() []string {
	args := []string{"image", "pull", "--quiet"}
	if p.Platform != (Platform{}) {
		args = append(args, "--platform", p.Platform.String())
	}
	if p.AuthFile != "" {
		args = append(args, "--authfile", p.AuthFile)
	}
	return append(args, "--", p.Name)
}

// ErrPlatform is the error of an image that is made for another platform only.
var ErrPlatform = errors.New("the image is made for another platform")

// ErrImageGone is the error of an image that was removed when it had just been found, or
// pulled, which takes no time where the storage has it already.
var ErrImageGone = errors.New("the image was removed as soon as it was there")

// Pull pulls an image and returns it by its ID: with an error, too, where the storage has
// the image by now, and this one is not of use.
func (p *Podman) Pull(ctx context.Context, pull Pull) (Image, error) {
	out, err := p.Output(ctx, pull.Args()...)
	if err != nil {
		return Image{}, err
	}
	pulled, err := lastID(pullVerb, out)
	if err != nil {
		return Image{}, err
	}
	image, err := p.inspectImage(ctx, pulled)
	switch {
	case imageUnknown(err):
		return Image{}, fmt.Errorf("%w: %s", ErrImageGone, pull.Name)
	case err != nil:
		return Image{ID: pulled}, err
	}
	image = p.variant(ctx, image, pull.Platform)
	// Of an image that is made for one platform only, podman takes that one,
	// with a warning.
	if !image.Fits(pull.Platform) {
		return Image{ID: pulled}, fmt.Errorf("%w: want %s, got %s", ErrPlatform, pull.Platform, image.platform())
	}
	return image, nil
}
