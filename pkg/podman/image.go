package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containers/common/pkg/config"
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
	// Pulled tells that a registry was asked for it in this call.
	Pulled bool `json:"-"`
	// PullError is why the local image is used although a newer one was to
	// be pulled; nil otherwise.
	PullError error `json:"-"`
}

// ImageConfig is the part of an image's configuration that matters here.
type ImageConfig struct {
	// Env is the image's environment, NAME=value.
	Env []string `json:"Env"`
	// User is that of its processes, USER[:GROUP]; empty: root.
	User string `json:"User"`
	// ExposedPorts are "5432/tcp" and kin.
	ExposedPorts map[string]struct{} `json:"ExposedPorts"`
}

// HealthCheck is an image's HEALTHCHECK: "CMD" and words, or "CMD-SHELL" and a
// line for sh.
type HealthCheck struct {
	Test []string `json:"Test"`
}

// ErrNoImage is the error of an image that is not in the local storage, and
// that the pull policy does not allow to be pulled.
var ErrNoImage = errors.New("the image is not in the local storage")

// Resolve finds the image of that fully qualified name by the pull policy, with
// one pull at most, and returns it by its ID. The auth file may be empty.
func (p *Podman) Resolve(ctx context.Context, name string, policy config.PullPolicy, authFile string) (Image, error) {
	if policy == config.PullPolicyMissing || policy == config.PullPolicyNever {
		image, err := p.inspectImage(ctx, name)
		if !isExit(err, ExitPodman) || ctx.Err() != nil {
			return image, err
		}
		if policy == config.PullPolicyNever {
			if imageUnknown(err) {
				err = fmt.Errorf("%w: %s", ErrNoImage, name)
			}
			return Image{}, err
		}
	}
	id, pullError := p.pull(ctx, name, authFile)
	if pullError != nil {
		// podman's own "newer" suppresses the error where there is an image
		// (containers/common pkg/config/pull_policy.go), but `podman pull` has
		// no such policy before 5.x. Not so where the registry refuses: the
		// image in the storage may be one that only another project may read.
		if policy != config.PullPolicyNewer || ctx.Err() != nil || PullRefused(pullError) {
			return Image{}, pullError
		}
		image, err := p.inspectImage(ctx, name)
		if err != nil {
			return Image{}, pullError
		}
		image.PullError = pullError
		return image, nil
	}
	image, err := p.inspectImage(ctx, id)
	image.Pulled = true
	return image, err
}

// pull pulls an image and returns its ID.
func (p *Podman) pull(ctx context.Context, name, authFile string) (string, error) {
	args := []string{"image", "pull", "--quiet"}
	if authFile != "" {
		args = append(args, "--authfile", authFile)
	}
	out, err := p.Output(ctx, append(args, "--", name)...)
	if err != nil {
		return "", err
	}
	lines := strings.Fields(string(out))
	if len(lines) == 0 {
		return "", fmt.Errorf("podman image pull: no image ID in its answer")
	}
	return lines[len(lines)-1], nil
}

func (p *Podman) inspectImage(ctx context.Context, name string) (Image, error) {
	out, err := p.Output(ctx, "image", "inspect", "--", name)
	if err != nil {
		return Image{}, err
	}
	var list []Image
	if err := json.Unmarshal(out, &list); err != nil {
		return Image{}, fmt.Errorf("podman image inspect: reading its answer: %w", err)
	}
	if len(list) != 1 || list[0].ID == "" {
		return Image{}, fmt.Errorf("podman image inspect: want one image, got %d", len(list))
	}
	return list[0], nil
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

// What registries, and podman itself, say of images that nobody can get: no
// second try will help. Lower case.
var refusals = []string{
	"manifest unknown",
	"name unknown",
	"not found",
	"access to the resource is denied",
	"unauthorized",
	"authentication required",
	"denied:",
	"403 (forbidden)",
	"invalid username/password",
	"no image found in manifest list",
	"no image found in image index",
	"invalid reference format",
	"rejected by policy",
	"is blocked in",
}

// What networks say, and podman where a program of its own is missing. It wins:
// "lookup host: not found" is an outage.
var outages = []string{
	"executable file not found",
	"dial tcp", "connection refused", "connection reset", "no such host",
	"i/o timeout", "tls handshake timeout", "500 internal", "502 bad gateway",
	"503 service", "504 gateway", "toomanyrequests",
}

// PullRefused tells whether a pull failed because the image does not exist, or
// may not be had with these credentials. podman ends with 125 for every
// failure, so only its words tell.
func PullRefused(err error) bool {
	var exit *ExitError
	if !errors.As(err, &exit) {
		return false
	}
	said := strings.ToLower(exit.Stderr)
	in := func(word string) bool { return strings.Contains(said, word) }
	return !slices.ContainsFunc(outages, in) && slices.ContainsFunc(refusals, in)
}
