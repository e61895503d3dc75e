package podman

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// podman exits with 125 for most failures, and only its standard error says which. The texts that
// decide what this package does are here, in lower case, each with its source and the podman
// versions in which it was seen. A new version may change any of them.
var (
	// libpod/define/errors.go, ErrNoSuchCtr; 4.3.1 and 5.4.2.
	noSuchContainer = []string{"no such container", "no container with name or id"}
	// containers/storage errors.go, ErrDuplicateName: `the container name "x" is already in
	// use by …`. 4.3.1; later versions add "or use --replace".
	nameTaken = [2]string{"the container name ", "is already in use"}

	// containers/storage errors.go, ErrImageUnknown, and libpod's own; 4.3.1.
	noSuchImage = []string{"image not known", "no such image"}
	// How podman names an image that it cannot read, when it lists all of them: `retrieving
	// label for image "ID": you may need to remove the image to resolve the error: …`.
	// 4.3.1 and 5.4.2.
	namedID = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	// containers/image internal/tmpdir, if TMPDIR does not exist: `creating a temporary directory:
	// stat DIR: no such file or directory`. 4.3.1 and 5.4.2.
	noTempDir = [2]string{"creating a temporary directory", "no such file or directory"}
	// Said after "checking platform of image ", for an image that podman has pulled and cannot
	// read. 4.3.1 and 5.4.2.
	unreadable = []string{"json: cannot unmarshal", "parsing image platform"}

	// 4.3.1 and 5.4.2.
	noSuchVolume = "no such volume"
	// libpod's LookupVolume, for a name that no volume has but two or more begin with; 4.3.1
	// and 5.4.2.
	ambiguousVolume = "more than one result for volume name"
	// `volume create` of a name that exists.
	volumeThere = "already exists"
	// `network rm` of a name that does not exist.
	noSuchNetwork = "network not found"
	// `secret create` of a name that exists.
	secretThere = "secret name in use"
	// `no secret with name or id "NAME": no such secret`, 4.3.1 and 5.4.2. Also for a secret
	// whose value is gone because podman was killed while removing it: "deleting secret NAME:
	// ID: no secret data with ID" (4.3.1), in 5.4.2 "no such secret".
	noSuchSecret = []string{"no such secret", "no secret data with id"}

	// `podman unshare` as root, which needs no user namespace.
	notRootless = "use unshare with rootless"
	// SQLite's SQLITE_BUSY, with podman from 4.8 on, and "database table is locked".
	databaseLocked = [2]string{"database ", "is locked"}
)

// Said by registries, and by podman itself, about images that cannot be pulled: a retry will
// not help. A name has no spaces, so no image name of a job looks like one of these. podman 4
// and 5.
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

// Said when networks and registries are down or overloaded. Outages take precedence over
// refusals: "lookup host: not found" is an outage.
var outages = []string{
	"dial tcp", "connection refused", "connection reset", "no such host", "server misbehaving",
	"i/o timeout", "tls handshake timeout", "context deadline exceeded", "client.timeout exceeded",
	"network is unreachable", "no route to host", "unexpected eof", ": eof", "goaway",
	": toomanyrequests", "statuscode: 429", "status: 429 too many requests",
}

var (
	// A status 5xx in the words of podman: "received unexpected HTTP status: 503 Service
	// Unavailable", "invalid status code from registry 502 (Bad Gateway)", "StatusCode:
	// 500, …".
	serverError = regexp.MustCompile(`(status: |statuscode: |registry )5[0-9][0-9]\b`)
	// Said about podman's own helpers; it contains "not found".
	missingHelper = "executable file not found"
	// containers/storage errors.go, ErrLayerUnknown: a layer that podman had, and did not
	// fetch, was removed with the other images that have it, before the pull was done.
	// 4.3.1.
	layerGone = "layer not known"
	// containers/storage pkg/idtools/idtools.go, checkChownErr: podman cannot give a file of
	// an image to its owner.
	insufficientIDs = regexp.MustCompile(`potentially insufficient uids or gids available in user namespace \(requested ([0-9]{1,10}):([0-9]{1,10}) for `)
)

// stderrOf returns what podman said, in lower case. It returns false if the error is not
// podman's.
func stderrOf(err error) (string, bool) {
	var exit *ExitError
	if !errors.As(err, &exit) {
		return "", false
	}
	return strings.ToLower(exit.Stderr), true
}

// stderrHas reports whether podman said one of the texts.
func stderrHas(err error, texts ...string) bool {
	stderr, ok := stderrOf(err)
	return ok && hasOne(stderr, texts)
}

func hasOne(text string, parts []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

func isExit(err error, code int) bool {
	var exit *ExitError
	return errors.As(err, &exit) && exit.Code == code
}

// Failed reports whether podman itself failed and said why. It is false if podman could not be
// run, or took too long.
func Failed(err error) bool { return isExit(err, ExitPodman) }

// refusesRoot reports whether `podman unshare` did not run its program because podman runs as
// root. What the program itself says, which may quote names of a job's files, cannot cause
// this: none of the programs run there exits with 125.
func refusesRoot(err error) bool { return isExit(err, ExitPodman) && stderrHas(err, notRootless) }

// NoSuchContainer reports whether a command failed because there is no such container.
func NoSuchContainer(err error) bool { return stderrHas(err, noSuchContainer...) }

// NameTaken reports whether a container was not made because another one has its name.
func NameTaken(err error) bool {
	return stderrHas(err, nameTaken[0]) && stderrHas(err, nameTaken[1])
}

// imageUnknown reports whether a command failed because there is no such image, not because the
// storage is broken.
func imageUnknown(err error) bool { return stderrHas(err, noSuchImage...) }

// volumeUnknown reports whether a command failed because there is no such volume, not because
// podman is broken.
func volumeUnknown(err error) bool { return stderrHas(err, noSuchVolume) }

// onlyGoneSecrets reports whether a command complains only about secrets that do not exist, or
// of which only the name is left, which podman cannot remove. podman removes the others, and
// has no --ignore (4.3.1 and 5.4.2).
func onlyGoneSecrets(err error) bool {
	stderr, ok := stderrOf(err)
	if !ok || stderr == "" {
		return false
	}
	for complaint := range strings.SplitSeq(stderr, "; ") {
		if !hasOne(complaint, noSuchSecret) {
			return false
		}
	}
	return true
}

// Locked reports whether a command failed because another process had locked podman's database.
func Locked(err error) bool {
	return isExit(err, ExitPodman) && stderrHas(err, databaseLocked[0]) && stderrHas(err, databaseLocked[1])
}

// PullRefused reports whether a pull failed because the image does not exist, may not be pulled
// with these credentials, or is for other platforms.
func PullRefused(err error) bool {
	if errors.Is(err, ErrPlatform) {
		return true
	}
	stderr, ok := stderrOf(err)
	return ok && !outage(stderr) && !strings.Contains(stderr, missingHelper) && hasOne(stderr, refusals)
}

// PullWorthRetrying reports whether a pull failed for a reason that may pass in a few seconds,
// and podman has not retried itself. podman 4.3.1 tries four times, a second apart, if a
// connection is refused, reset or closed, or if the registry says "toomanyrequests"; podman 5
// also after status 502 to 504. It gives up at once after any other 5xx, if a name has no
// address, or if an image or a layer was removed meanwhile.
func PullWorthRetrying(err error) bool {
	if errors.Is(err, ErrImageGone) || stderrHas(err, layerGone) {
		return true
	}
	stderr, _ := stderrOf(err)
	var exit *ExitError
	return errors.As(err, &exit) && outage(stderr) && !exit.retried
}

func outage(stderr string) bool {
	return serverError.MatchString(stderr) || hasOne(stderr, outages)
}

// PullLacksID reports whether a pull failed because the user namespace lacks the user or group
// that owns a file of the image. It returns that id, the larger of the two.
func PullLacksID(err error) (int64, bool) {
	stderr, ok := stderrOf(err)
	ids := insufficientIDs.FindStringSubmatch(stderr)
	if !ok || ids == nil {
		return 0, false
	}
	uid, _ := strconv.ParseInt(ids[1], 10, 64)
	gid, _ := strconv.ParseInt(ids[2], 10, 64)
	return max(uid, gid), true
}

// ImageUnreadable reports whether an image was refused for its configuration: it is too large,
// see [ErrImageTooLarge], or podman cannot read it, for example because it has a number instead
// of a string. After such a pull the image is still in the storage, and podman cannot list any
// images (4.3.1 and 5.4.2), so the caller should remove it, by its name.
func ImageUnreadable(err error) bool {
	if errors.Is(err, ErrImageTooLarge) {
		return true
	}
	var exit *ExitError
	if !errors.As(err, &exit) {
		return false
	}
	stderr := exit.begin + exit.Stderr
	stored := exit.Verb == "image inspect" || exit.Verb == pullVerb && strings.Contains(stderr, "checking platform of image ")
	return stored && hasOne(stderr, unreadable)
}

// ImagesNamed returns the IDs of the images that made podman fail to list images, from its
// error message. Such an image can only come from a pull or a build.
func ImagesNamed(err error) []string {
	var exit *ExitError
	if !errors.As(err, &exit) {
		return nil
	}
	ids := namedID.FindAllString(exit.begin+" "+exit.Stderr, -1)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// podman pkg/domain/infra/abi/system.go, SetupRootless. 4.3.1, with exit status 1.
var noPause = regexp.MustCompile(`\Atime="[^"]*" level=error msg="invalid internal status, try resetting the pause process`)
