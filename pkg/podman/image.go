package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Image is an image of the local storage.
type Image struct {
	ID     string `json:"Id"`
	Digest string `json:"Digest"`
	// Size is in bytes.
	Size int64 `json:"Size"`
	// Config and HealthCheck are what the image says of itself.
	Config      ImageConfig  `json:"Config"`
	HealthCheck *HealthCheck `json:"HealthCheck"`
	// OS, Arch and Variant are what the image is made for. podman 4 does not say
	// the variant.
	OS      string `json:"Os"`
	Arch    string `json:"Architecture"`
	Variant string `json:"Variant"`
	// RepoDigests are REPOSITORY@DIGEST, for each repository that the image was
	// pulled from or tagged for.
	RepoDigests []string `json:"RepoDigests"`
}

// ImageConfig is the part of an image's configuration that matters here.
type ImageConfig struct {
	// Env is the image's environment, NAME=value.
	Env []string `json:"Env"`
	// User is that of its processes, USER[:GROUP]; empty: root.
	User string `json:"User"`
	// WorkingDir is its WORKDIR, an absolute path where the image was made well.
	WorkingDir string `json:"WorkingDir"`
	// ExposedPorts are "5432/tcp" and kin.
	ExposedPorts map[string]struct{} `json:"ExposedPorts"`
	// Entrypoint is the image's ENTRYPOINT.
	Entrypoint []string `json:"Entrypoint"`
}

// HealthCheck is an image's HEALTHCHECK: "CMD" and words, or "CMD-SHELL" and a
// line for sh.
type HealthCheck struct {
	Test []string `json:"Test"`
}

// Platform is what an image is made for. The zero Platform is the machine's own.
type Platform struct{ OS, Arch, Variant string }

// String returns what `--platform` takes; nothing for the zero Platform.
func (p Platform) String() string {
	if p == (Platform{}) {
		return ""
	}
	return strings.TrimSuffix(p.OS+"/"+p.Arch+"/"+p.Variant, "/")
}

// ErrNoImage is the error of an image that is not in the local storage.
var ErrNoImage = errors.New("the image is not in the local storage")

// Local finds the image of that fully qualified name in the local storage. With a
// platform, an image of another one, or one that does not say its variant, is not
// the one that is meant.
func (p *Podman) Local(ctx context.Context, name string, platform Platform) (Image, error) {
	image, err := p.inspectImage(ctx, name)
	switch {
	case imageUnknown(err):
		return Image{}, fmt.Errorf("%w: %s", ErrNoImage, name)
	case err != nil:
		return Image{}, err
	}
	return image.Is(name, platform)
}

// LocalImages looks for several images in the local storage at once, by their fully
// qualified names. It returns them in that order, or none unless all are there. See
// [Image.Is] for whether one is the image that is meant.
func (p *Podman) LocalImages(ctx context.Context, names ...string) ([]Image, error) {
	list, err := p.inspectImages(ctx, names...)
	if imageUnknown(err) {
		return nil, nil
	}
	return list, err
}

// Is returns the image where it is the one of that fully qualified name, by which it
// was found, and of that platform: see [Podman.Local].
func (i Image) Is(name string, platform Platform) (Image, error) {
	switch {
	// For a digest, podman takes an image of any repository (4.3.1: it is
	// looked up by the digest alone).
	case strings.Contains(name, "@") && !slices.Contains(i.RepoDigests, name):
		return Image{}, fmt.Errorf("%w: %s", ErrNoImage, name)
	case !i.fits(platform, false):
		return Image{}, fmt.Errorf("%w: %s for %s, only for %s", ErrNoImage, name, platform, i.platform())
	}
	return i, nil
}

// platform returns what the image says that it is made for.
func (i Image) platform() Platform { return Platform{OS: i.OS, Arch: i.Arch, Variant: i.Variant} }

// Fits tells whether an image is made for a platform, as far as podman says what it
// is made for. Every image fits the zero Platform.
func (i Image) Fits(p Platform) bool { return i.fits(p, true) }

// fits tells whether an image is for a platform. Which variant an image is for,
// podman says from 5.x on only; unknown tells what to take it for where it does
// not. arm64 has one variant so far, which not every image names.
func (i Image) fits(p Platform, unknown bool) bool {
	switch {
	case p == (Platform{}):
		return true
	case i.OS != p.OS || i.Arch != p.Arch:
		return false
	case p.Variant == "" || i.Variant == p.Variant:
		return true
	case p.Arch == "arm64" && p.Variant == "v8" && i.Variant == "":
		return true
	}
	return unknown && i.Variant == ""
}

func (p *Podman) inspectImage(ctx context.Context, name string) (Image, error) {
	list, err := p.inspectImages(ctx, name)
	if err != nil {
		return Image{}, err
	}
	return list[0], nil
}

// inspectImages returns one image for each name, in their order.
func (p *Podman) inspectImages(ctx context.Context, names ...string) ([]Image, error) {
	out, err := p.Output(ctx, append([]string{"image", "inspect", "--"}, names...)...)
	if err != nil {
		return nil, err
	}
	var list []Image
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("podman image inspect: reading its answer: %w", err)
	}
	if len(list) != len(names) {
		return nil, fmt.Errorf("podman image inspect: want %d images, got %d", len(names), len(list))
	}
	if slices.ContainsFunc(list, func(i Image) bool { return i.ID == "" }) {
		return nil, errors.New("podman image inspect: an image without an ID")
	}
	return list, nil
}

// imageUnknown tells an image that is not there from a storage that is broken:
// podman ends with 125 for both (containers/storage errors.go, ErrImageUnknown).
func imageUnknown(err error) bool {
	var exit *ExitError
	return errors.As(err, &exit) &&
		(strings.Contains(exit.Stderr, "image not known") || strings.Contains(exit.Stderr, "no such image"))
}

func isExit(err error, code int) bool {
	var exit *ExitError
	return errors.As(err, &exit) && exit.Code == code
}
