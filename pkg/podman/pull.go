package podman

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Pull is `podman image pull`.
type Pull struct {
	// Platform is the zero Platform for the machine's own.
	Platform Platform
	// AuthFile has the credentials; empty: podman looks for its own.
	AuthFile string
	// Name is fully qualified.
	Name string
	// Progress, if not nil, is called about once a second while podman pulls, and once when it
	// has ended; never twice at a time.
	Progress func(Progress)
}

// Args returns the command line. podman is not quiet, so that it says which layers the image
// has: see [download].
func (p Pull) Args() []string {
	o := options{"image", "pull"}
	o.add("--platform", p.Platform.String())
	o.add("--authfile", p.AuthFile)
	return append(o, "--", p.Name)
}

// ErrPlatform is the error of an image that is made for another platform only.
var ErrPlatform = errors.New("the image is made for another platform")

// ErrImageGone is the error of an image that was removed right after it was found or pulled.
// The pull is quick if the storage already has the image.
var ErrImageGone = errors.New("the image was removed before it could be used")

// Pull pulls an image and returns it. It also returns the image with an error if the image is
// in the storage now but cannot be used.
func (p *Podman) Pull(ctx context.Context, pull Pull) (Image, error) {
	d := p.newDownload()
	out, err := p.fetch(ctx, pull, d)
	if d.hidden(err) {
		out, err = p.fetch(ctx, pull, &download{layers: map[string]bool{}, seen: Progress{Bytes: -1}})
	}
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

// fetch runs `podman image pull`, and removes what it leaves in its temporary directory.
func (p *Podman) fetch(ctx context.Context, pull Pull, d *download) ([]byte, error) {
	local := *p
	local.Env = d.env(p.Env)
	stop := d.tell(pull.Progress)
	out, err := local.outputOf(ctx, streams{said: d.takes, used: d.ended}, pull.Args()...)
	stop()
	// What cannot be removed now is a leftover: the job does not fail for it.
	if left := d.remove(); left != nil {
		p.observe([]string{"image", "pull"}, time.Now(), left)
	}
	return out, err
}
