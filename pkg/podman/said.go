package podman

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Of most failures podman ends with 125: only its standard error says what has failed. All
// texts that are looked for are here, in lower case, each with where it comes from and the
// versions of podman in which it was seen. A new version may change any of them.
var (
	// libpod/define/errors.go, ErrNoSuchCtr; 4.3.1 and 5.4.2.
	noSuchContainer = []string{"no such container", "no container with name or id"}
	// containers/storage errors.go, ErrDuplicateName: `the container name "x" is already in
	// use by …`. 4.3.1; later versions add "or use --replace".
	nameTaken = [2]string{"the container name ", "is already in use"}
	// What the OCI runtime says, crun or runc, repeated by podman: 4.3.1 and 5.4.2.
	noSuchProgram = [2]string{"executable file", "not found"}
	// `workdir "/x" does not exist on container …`
	noWorkdir = [2]string{`workdir "`, "does not exist on container"}
	// container-device-interface pkg/cdi/registry.go.
	noSuchCDIDevice = "unresolvable cdi devices"

	// containers/storage errors.go, ErrImageUnknown, and libpod's own; 4.3.1.
	noSuchImage = []string{"image not known", "no such image"}
	// How podman names an image that it cannot read, when it lists all of them: `retrieving
	// label for image "ID": you may need to remove the image to resolve the error: …`.
	// 4.3.1 and 5.4.2.
	namedID = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	// What podman says of an image that it has pulled and cannot read, behind "checking
	// platform of image ". 4.3.1 and 5.4.2.
	unreadable = []string{"json: cannot unmarshal", "parsing image platform"}

	// 4.3.1 and 5.4.2.
	noSuchVolume = "no such volume"
	// libpod's LookupVolume, for a name that is that of no volume, where two or more begin
	// with it; 4.3.1 and 5.4.2.
	ambiguousVolume = "more than one result for volume name"
	// `volume create` of a name that there is.
	volumeThere = "already exists"
	// `network rm` of a name that there is not.
	noSuchNetwork = "network not found"
	// `secret create` of a name that there is.
	secretThere = "secret name in use"
	// `no secret with name or id "NAME": no such secret`, 4.3.1 and 5.4.2; and of a secret
	// whose value is gone, since podman was killed while it removed it, "deleting secret
	// NAME: ID: no secret data with ID" (4.3.1), in 5.4.2 "no such secret".
	noSuchSecret = []string{"no such secret", "no secret data with id"}

	// `podman unshare` as root, which needs no user namespace.
	notRootless = "use unshare with rootless"
	// SQLite's SQLITE_BUSY, with podman from 4.8 on, and "database table is locked".
	databaseLocked = [2]string{"database ", "is locked"}
	// errno(3), ENOSPC and EDQUOT, in the words of podman and of what it runs.
	fullDisk = []string{"no space left on device", "disk quota exceeded", "database or disk is full"}
	// fork(2), EAGAIN: what was to be started, and the error.
	noProcess = []string{"fork/exec", "cannot fork", "fork: ", "clone: ", "pthread_create", noThread}
	tryAgain  = "resource temporarily unavailable"
)

// noThread is what Go's runtime says, podman's or this program's, that gets no thread.
const noThread = "failed to create new os thread"

// What registries, and podman itself, say of images that nobody can get: a second try
// will not help. A name has no spaces, so no image name of a job looks like one of these.
// podman 4 and 5.
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

// What networks and registries say when they are down or overloaded. It wins over the
// refusals: "lookup host: not found" is an outage.
var outages = []string{
	"dial tcp", "connection refused", "connection reset", "no such host", "server misbehaving",
	"i/o timeout", "tls handshake timeout", "context deadline exceeded", "client.timeout exceeded",
	"network is unreachable", "no route to host", "unexpected eof", ": eof", "goaway",
	": toomanyrequests", "statuscode: 429",
}

var (
	// A status 5xx in the words of podman: "received unexpected HTTP status: 503 Service
	// Unavailable", "invalid status code from registry 502 (Bad Gateway)", "StatusCode:
	// 500, …".
	serverError = regexp.MustCompile(`(status: |statuscode: |registry )5[0-9][0-9]\b`)
	// Said of podman's own helpers, with "not found" in it.
	missingHelper = "executable file not found"
	// containers/storage errors.go, ErrLayerUnknown: a layer that podman had, and did not
	// fetch, was removed with the other images that have it, before the pull was done.
	// 4.3.1.
	layerGone = "layer not known"
	// containers/storage pkg/idtools/idtools.go, checkChownErr: podman cannot give a file of
	// an image to its owner.
	insufficientIDs = regexp.MustCompile(`potentially insufficient uids or gids available in user namespace \(requested ([0-9]{1,10}):([0-9]{1,10}) for `)
)

// stderrOf returns what podman said, in lower case; false: the error is not podman's.
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

// Failed reports whether podman itself has failed and said why: not that it could not be
// run, or took too long.
func Failed(err error) bool { return isExit(err, ExitPodman) }

// refusesRoot reports whether `podman unshare` did not run its program, since podman runs as
// root. The program's own words, which may quote names of a job's files, do not count: none of
// those that are run there ends with podman's 125.
func refusesRoot(err error) bool { return isExit(err, ExitPodman) && stderrHas(err, notRootless) }

// NoSuchContainer reports whether a command failed because there is no such container.
func NoSuchContainer(err error) bool { return stderrHas(err, noSuchContainer...) }

// NameTaken reports whether a container was not made because another one has its name.
func NameTaken(err error) bool {
	return stderrHas(err, nameTaken[0]) && stderrHas(err, nameTaken[1])
}

// NoSuchProgram reports whether a container could not be started because its image lacks
// the program of its command. `podman start` ends with 125 then, as for much else.
func NoSuchProgram(err error) bool {
	stderr, ok := stderrOf(err)
	return ok && SaysNoSuchProgram(stderr)
}

// SaysNoSuchProgram is [NoSuchProgram] for what podman has written to standard error.
func SaysNoSuchProgram(stderr string) bool {
	return strings.Contains(stderr, noSuchProgram[0]) && strings.Contains(stderr, noSuchProgram[1])
}

// NoWorkdir reports whether a container could not be started because its image lacks the
// directory that it was to start in.
func NoWorkdir(err error) bool {
	return stderrHas(err, noWorkdir[0]) && stderrHas(err, noWorkdir[1])
}

// NoSuchCDIDevice reports whether a container could not be started because the machine
// does not know a CDI device of it.
func NoSuchCDIDevice(err error) bool { return stderrHas(err, noSuchCDIDevice) }

// imageUnknown tells an image that is not there from a storage that is broken.
func imageUnknown(err error) bool { return stderrHas(err, noSuchImage...) }

// volumeUnknown tells a volume that is not there from a podman that fails.
func volumeUnknown(err error) bool { return stderrHas(err, noSuchVolume) }

// onlyGoneSecrets reports whether all that a command complains of are secrets that are not
// there, or of which nothing is left but a name, which podman cannot remove. podman removes
// the others, and has no --ignore (4.3.1 and 5.4.2).
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

// Locked reports whether podman could not do a thing because another process had its
// database.
func Locked(err error) bool {
	return isExit(err, ExitPodman) && stderrHas(err, databaseLocked[0]) && stderrHas(err, databaseLocked[1])
}

// DiskFull reports whether a command, or a system call, failed for want of space on a
// disk.
func DiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || stderrHas(err, fullDisk...)
}

// NoProcesses reports whether a command, or a system call, failed because the user, or the
// cgroup, has no process left to start.
func NoProcesses(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || stderrHas(err, tryAgain) && stderrHas(err, noProcess...) || stderrHas(err, noThread)
}

// PullRefused reports whether a pull failed because the image does not exist, may not be
// had with these credentials, or is made for other platforms.
func PullRefused(err error) bool {
	if errors.Is(err, ErrPlatform) {
		return true
	}
	stderr, ok := stderrOf(err)
	return ok && !outage(stderr) && !strings.Contains(stderr, missingHelper) && hasOne(stderr, refusals)
}

// PullWorthRetrying reports whether a pull failed for a reason that may be over in some
// seconds, and podman has not tried again by itself. podman 4.3.1 tries four times, with a
// second between, where connections are refused, reset or closed, and where the registry
// says "toomanyrequests", podman 5 also after a status 502 to 504; after another 5xx, where
// a name has no address, and where an image or a layer was removed meanwhile, it gives up
// at once.
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

// PullLacksID reports whether a pull failed because the image has a file of a user or
// group that the user namespace does not have, and returns the id, the larger one.
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

// ImageUnreadable reports whether an image was refused for what it says of itself: it has
// too much of it, see [ErrImageTooLarge], or podman cannot read it, such as a number where
// a text has to be. After such a pull the image is still in the storage, and podman
// lists no images (4.3.1 and 5.4.2): the caller should remove it, by its name.
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

// ImagesNamed returns the IDs in what podman said where it failed to list images: of those
// that it failed for. Only a pull, or what somebody has built, brings such an image.
func ImagesNamed(err error) []string {
	var exit *ExitError
	if !errors.As(err, &exit) {
		return nil
	}
	ids := namedID.FindAllString(exit.begin+" "+exit.Stderr, -1)
	slices.Sort(ids)
	return slices.Compact(ids)
}
