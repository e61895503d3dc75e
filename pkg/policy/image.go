package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/distribution/reference"
)

// maxImageName bounds an image name in bytes, as registries do.
const maxImageName = 255

// Image is an image name that was parsed and normalised: with its registry, its
// whole path, and a tag or a digest. "debian:12" is
// "docker.io/library/debian:12".
type Image struct{ name string }

// String returns the fully qualified name: what rules are matched against, and
// what podman is given.
func (i Image) String() string { return i.name }

// ParseImage normalises an image name, or says why it is none. Names with a
// transport ("docker://", "dir:/", "oci-archive:/") and image IDs are no image
// names: podman would read host paths, or another project's images, for them.
func ParseImage(name string) (Image, error) {
	if len(name) > maxImageName {
		return Image{}, fmt.Errorf("the image name is longer than %d bytes: %q", maxImageName, truncate(name, 60))
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII || unicode.IsControl(r) || r == ' ' }) {
		return Image{}, fmt.Errorf("the image name %q has a character that no image name has", name)
	}
	if strings.Contains(name, "$") {
		return Image{}, fmt.Errorf("the image name %q has a variable that is not set", name)
	}
	if transport, _, ok := strings.Cut(name, "://"); ok {
		return Image{}, fmt.Errorf("the image name %q has a transport: write it without %q", name, transport+"://")
	}
	named, err := reference.ParseNormalizedNamed(lowerHost(name))
	if err != nil {
		return Image{}, fmt.Errorf("%q is no image name: %w", name, plainReason(err))
	}
	// podman takes a tag or a digest, not both; the digest is the stronger.
	if digested, ok := named.(reference.Digested); ok {
		if named, err = reference.WithDigest(reference.TrimNamed(named), digested.Digest()); err != nil {
			return Image{}, fmt.Errorf("%q is no image name: %w", name, err)
		}
	}
	return Image{name: reference.TagNameOnly(named).String()}, nil
}

// lowerHost lowers the registry of an image name: DOCKER.IO is docker.io.
func lowerHost(name string) string {
	host, rest, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(host, ".:") {
		return name
	}
	return strings.ToLower(host) + "/" + rest
}

func plainReason(err error) error {
	switch {
	case errors.Is(err, reference.ErrNameContainsUppercase):
		return errors.New("the path must be lower case")
	case errors.Is(err, reference.ErrReferenceInvalidFormat):
		return errors.New("want [registry/]path[:tag] or [registry/]path@digest")
	default:
		return err
	}
}
