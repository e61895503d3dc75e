package podman

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
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

// isID knows an object's ID, as podman prints it.
var isID = regexp.MustCompile(`\A[0-9a-f]{64}\z`)

// lastID returns the last word of an answer, which has to be an ID.
func lastID(verb string, answer []byte) (string, error) {
	words := strings.Fields(string(answer))
	if len(words) == 0 || !isID.MatchString(words[len(words)-1]) {
		return "", fmt.Errorf("podman %s: no ID in its answer", verb)
	}
	return words[len(words)-1], nil
}

// What registries, and podman itself, say of images that nobody can get: no
// second try will help. Lower case. A name has no spaces, so what a job calls its
// image is none of these.
var refusals = []string{
	"manifest unknown",
	"name unknown",
	" not found",
	"access to the resource is denied",
	": unauthorized",
	"authentication required",
	": denied",
	"statuscode: 401", "statuscode: 403", "statuscode: 404",
	"403 (forbidden)",
	"401 (unauthorized)",
	"invalid username/password",
	"no image found in manifest list",
	"no image found in image index",
	"invalid reference format",
	"rejected by policy",
	"is blocked in",
}

// What networks and registries say when they are down or overloaded. It wins over
// the refusals: "lookup host: not found" is an outage.
var outages = []string{
	"dial tcp", "connection refused", "connection reset", "no such host", "server misbehaving",
	"i/o timeout", "tls handshake timeout", "context deadline exceeded", "client.timeout exceeded",
	"network is unreachable", "no route to host", "unexpected eof", ": eof", "goaway",
	": toomanyrequests", "statuscode: 429",
}

// serverError is a status 5xx in the words of podman: "received unexpected HTTP
// status: 503 Service Unavailable", "invalid status code from registry 502 (Bad
// Gateway)", "StatusCode: 500, …".
var serverError = regexp.MustCompile(`(status: |statuscode: |registry )5[0-9][0-9]\b`)

// missingProgram is said of podman's own helpers, and has "not found" in it.
const missingProgram = "executable file not found"

// PullRefused tells whether a pull failed because the image does not exist, may not
// be had with these credentials, or is made for other platforms. podman ends with
// 125 for every failure, so only its words tell.
func PullRefused(err error) bool {
	if errors.Is(err, ErrPlatform) {
		return true
	}
	said, ok := saidBy(err)
	in := func(word string) bool { return strings.Contains(said, word) }
	return ok && !outage(said) && !in(missingProgram) && slices.ContainsFunc(refusals, in)
}

// ImageUnreadable tells whether an image was refused for what it says of itself: it has too much
// of it, see [ErrImageTooLarge], or podman cannot read it, such as a number where a text has to
// be. After such a pull the storage has the image all the same, and podman lists no images
// (4.3.1 and 5.4.2): who has pulled it should remove it, by its name.
func ImageUnreadable(err error) bool {
	if errors.Is(err, ErrImageTooLarge) {
		return true
	}
	var exit *ExitError
	if !errors.As(err, &exit) {
		return false
	}
	in := func(word string) bool { return strings.Contains(exit.begin+exit.Stderr, word) }
	stored := exit.Verb == "image inspect" || exit.Verb == pullVerb && in("checking platform of image ")
	return stored && slices.ContainsFunc([]string{"json: cannot unmarshal", "parsing image platform"}, in)
}

// layerGone is what podman says where a layer that it had, and did not fetch, was removed
// with the other images that have it, before the pull was done (containers/storage
// errors.go, ErrLayerUnknown).
const layerGone = "layer not known"

// PullWorthRetrying tells whether a pull failed for a reason that may be over in
// some seconds, and podman has not tried again by itself. podman 4.3.1 tries four
// times, with a second between, where connections are refused, reset or closed, and
// where the registry says "toomanyrequests", podman 5 after a status 502 to 504, too;
// after another 5xx, where a name has no address, and where an image or a layer was removed
// meanwhile, it gives up at once.
func PullWorthRetrying(err error) bool {
	said, ok := saidBy(err)
	if errors.Is(err, ErrImageGone) || ok && strings.Contains(said, layerGone) {
		return true
	}
	var exit *ExitError
	return ok && outage(said) && errors.As(err, &exit) && !exit.retried
}

// insufficientIDs is what podman says where it cannot give a file of an image to its
// owner (containers/storage pkg/idtools/idtools.go, checkChownErr).
var insufficientIDs = regexp.MustCompile(`potentially insufficient uids or gids available in user namespace \(requested ([0-9]{1,10}):([0-9]{1,10}) for `)

// PullLacksID tells whether a pull failed because the image has a file of a user or
// group that the user namespace does not have, and returns the id, the larger one.
func PullLacksID(err error) (int64, bool) {
	said, ok := saidBy(err)
	ids := insufficientIDs.FindStringSubmatch(said)
	if !ok || ids == nil {
		return 0, false
	}
	uid, _ := strconv.ParseInt(ids[1], 10, 64)
	gid, _ := strconv.ParseInt(ids[2], 10, 64)
	return max(uid, gid), true
}

// saidBy returns what podman said, in lower case.
func saidBy(err error) (string, bool) {
	var exit *ExitError
	if !errors.As(err, &exit) {
		return "", false
	}
	return strings.ToLower(exit.Stderr), true
}

func outage(said string) bool {
	return serverError.MatchString(said) ||
		slices.ContainsFunc(outages, func(word string) bool { return strings.Contains(said, word) })
}
