package site

import (
	"errors"
	"io/fs"
	"syscall"

	"podman-executor/internal/driver"
	"podman-executor/internal/fault"
	"podman-executor/pkg/podman"
)

// Explain returns a hint for the administrator about faults that can occur with any podman
// command, or any file; empty for other errors. It is more specific than the hint of the place
// where the fault occurred.
func Explain(err error) string {
	var late *podman.TimeoutError
	if errors.As(err, &late) {
		return timeoutHint(late)
	}
	if f, known := fault.Of(err); known && f.Whose != fault.Authors {
		return f.Hint()
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return permissionHint(err)
	}
	return ""
}

func timeoutHint(late *podman.TimeoutError) string {
	if late.IsPull() {
		return "the registry, the network or podman hangs: pull the image by hand as gitlab-runner's user; the limit is general.podman.timeouts.pull in the policy"
	}
	return "podman hangs, or the machine is too slow for it: run `podman ps` as gitlab-runner's user; the limit is general.podman.timeouts.command in the policy"
}

// permissionHint is for the driver's own files that no key of the policy names. All of them are
// in the runner's TMPDIR.
func permissionHint(err error) string {
	var path *fs.PathError
	var refusal *driver.Refusal
	var fault *driver.Fault
	var hinted interface{ Hint() string }
	if !errors.As(err, &path) || errors.As(err, &refusal) || errors.As(err, &fault) || errors.As(err, &hinted) {
		return ""
	}
	return "set gitlab-runner's TMPDIR to a directory on a local disk that its user can write to"
}
