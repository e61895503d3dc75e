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

// Image is a normalised image name: with its registry, its whole path, and a tag or a
// digest. "debian:12" becomes "docker.io/library/debian:12".
type Image struct{ name string }

// String returns the fully qualified name: what rules are matched against, and
// what podman is given.
func (i Image) String() string { return i.name }

// Repository returns the name without tag and digest: what registries grant
// access to.
func (i Image) Repository() string { return RepositoryOf(i.name) }

// RepositoryOf returns an image's fully qualified name without its tag and its digest.
func RepositoryOf(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}

// ParseImage normalises an image name. Its errors are for the job's author. Names with a
// transport ("docker://", "dir:/", "oci-archive:/") and image IDs are errors: with these
// podman would use host paths, or another project's images.
func ParseImage(name string) (Image, error) {
	if len(name) > maxImageName {
		return Image{}, fmt.Errorf("the image name is longer than %d bytes: %q", maxImageName, truncate(name, 60))
	}
	shown := withoutUser(name)
	if strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII || unicode.IsControl(r) || r == ' ' }) {
		return Image{}, fmt.Errorf("the image name %q contains an invalid character", shown)
	}
	if strings.Contains(name, "$") {
		return Image{}, fmt.Errorf("the image name %q has a variable that is not set", shown)
	}
	if transport, _, ok := strings.Cut(name, "://"); ok {
		return Image{}, fmt.Errorf("the image name %q has a transport: write it without %q", shown, transport+"://")
	}
	named, err := reference.ParseNormalizedNamed(oneHost(name))
	if err == nil && !isRegistry(reference.Domain(named)) {
		err = errors.New("the registry must be a host name in lower case, with a dot or a port")
	}
	if err != nil {
		return Image{}, fmt.Errorf("invalid image name %q: %w", shown, plainReason(err))
	}
	// podman takes a tag or a digest, not both. The digest is more exact.
	if digested, ok := named.(reference.Digested); ok {
		if named, err = reference.WithDigest(reference.TrimNamed(named), digested.Digest()); err != nil {
			return Image{}, fmt.Errorf("invalid image name %q: %w", shown, err)
		}
	}
	image := Image{name: reference.TagNameOnly(named).String()}
	if len(image.name) > maxImageName {
		return Image{}, fmt.Errorf("the image name is longer than %d bytes with its registry and tag or digest: %q", maxImageName, truncate(name, 60))
	}
	return image, nil
}

// isRegistry reports whether podman also takes the first part of a name for a registry.
// The parser takes FOO in FOO/bar for one, but podman looks for foo/bar in the registries
// of its configuration.
func isRegistry(host string) bool {
	return strings.ContainsAny(host, ".:") || host == "localhost"
}

// withoutUser returns a name for a message, without the user of its registry: there may be
// a password.
func withoutUser(name string) string {
	host := name[:strings.LastIndexByte(name, '/')+1]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		return "…" + name[at:]
	}
	return name
}

// oneHost writes the registry of an image name as rules, credentials and podman's storage
// have it: in lower case, and Docker Hub always as docker.io. podman uses the credentials
// of docker.io for registry-1.docker.io, which is Docker Hub's server (containers/image
// pkg/docker/config/config.go, normalizeRegistry). The parser itself replaces
// index.docker.io.
func oneHost(name string) string {
	host, rest, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(host, ".:") {
		return name
	}
	if host = strings.ToLower(host); host == "registry-1.docker.io" {
		host = "docker.io"
	}
	return host + "/" + rest
}

func plainReason(err error) error {
	switch {
	case errors.Is(err, reference.ErrNameContainsUppercase), strings.HasSuffix(err.Error(), "must be lowercase"):
		return errors.New("the path must be lower case")
	case strings.HasSuffix(err.Error(), "64-byte hexadecimal strings"):
		return errors.New("an image ID is not a name")
	case errors.Is(err, reference.ErrReferenceInvalidFormat):
		return errors.New("want [registry/]path[:tag] or [registry/]path@digest")
	default:
		return err
	}
}

// mustParseImage parses an image of the policy, which Parse has checked.
func mustParseImage(name string) Image {
	image, err := ParseImage(name)
	if err != nil {
		panic("policy: an image that was checked at parsing: " + err.Error())
	}
	return image
}
