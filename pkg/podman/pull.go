package podman

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
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

// ErrImageGone is the error of an image that was removed right after it was found or pulled.
// Pulling takes no time if the storage already has the image.
var ErrImageGone = errors.New("the image was removed before it could be used")

// Pull pulls an image and returns it by its ID. It also returns the ID with an error if the
// image is in the storage, but cannot be used.
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
	// If an image is made for one platform only, podman pulls that one, with a warning.
	if !image.Fits(pull.Platform) {
		return Image{ID: pulled}, fmt.Errorf("%w: want %s, got %s", ErrPlatform, pull.Platform, image.platform())
	}
	return image, nil
}

// isID matches an object's ID, as podman prints it.
var isID = regexp.MustCompile(`\A[0-9a-f]{64}\z`)

// lastID returns the last word of an answer, which has to be an ID.
func lastID(verb string, answer []byte) (string, error) {
	words := strings.Fields(string(answer))
	if len(words) == 0 || !isID.MatchString(words[len(words)-1]) {
		return "", fmt.Errorf("podman %s: no ID in its output", verb)
	}
	return words[len(words)-1], nil
}
