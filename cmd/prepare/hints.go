package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	podmanconfig "github.com/containers/common/pkg/config"

	"podman-executor/internal/driver"
	"podman-executor/internal/fault"
	"podman-executor/internal/images"
	"podman-executor/internal/job"
	"podman-executor/internal/preflight"
	"podman-executor/internal/request"
	"podman-executor/internal/site"
	"podman-executor/internal/spec"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// runAsRunner returns the hint to try a podman command by hand.
func runAsRunner(pm *podman.Podman, command string) string {
	return "run `" + pm.Program + " " + command + "` as gitlab-runner's user"
}

// writableHint returns the hint to let the driver write to the directory that a key of
// [general] names.
func writableHint(p *policy.Policy, key string) string {
	return "set general." + key + " in " + p.File() + " to a directory that gitlab-runner's user can write to"
}

// requestError turns an error of reading a request into a refusal or a fault.
func requestError(err error) error {
	var unreadable *request.Error
	if errors.As(err, &unreadable) {
		return &driver.Refusal{Err: err}
	}
	return &driver.Fault{Err: err, Hint: "mount /proc where gitlab-runner runs"}
}

// askFault returns the error if podman cannot be asked for its version or the machine.
func askFault(pm *podman.Podman, err error) error {
	return &driver.Fault{Err: err, Hint: runAsRunner(pm, "info")}
}

func recordsFault(p *policy.Policy, err error) error {
	return &driver.Fault{Err: err, Hint: writableHint(p, "state_dir")}
}

func runtimeDirFault(err error) error {
	return &driver.Fault{
		Err:  fmt.Errorf("creating the job's runtime directory: %w", err),
		Hint: "give gitlab-runner's user a runtime directory: `loginctl enable-linger USER`, or set XDG_RUNTIME_DIR in its environment",
	}
}

func leftoversFault(pm *podman.Podman, err error) error {
	return &driver.Fault{Err: err, Hint: runAsRunner(pm, "ps --all")}
}

// limitsFault returns the error for a machine that does not enforce what the policy requires.
func limitsFault(p *policy.Policy, reason string) error {
	return &driver.Fault{
		Err:  errors.New(reason),
		Hint: preflight.DelegateHint + "; or remove " + p.Where("general.podman.require_limits"),
	}
}

// checkKeys returns the hint to look at those of the keys in [general.podman] that the policy
// has; empty if it has none of them.
func checkKeys(p *policy.Policy, keys ...string) string {
	var places []string
	for _, k := range keys {
		if key := "general.podman." + k; p.Line(key) > 0 {
			places = append(places, p.Where(key))
		}
	}
	if len(places) == 0 {
		return ""
	}
	return "check " + strings.Join(places, ", ")
}

// serviceFault turns an error of starting a service into a refusal or a fault. otherwise is the
// hint for words of podman that nobody knows.
func serviceFault(p *policy.Policy, service policy.ServiceGrant, err error, otherwise string) error {
	err = fmt.Errorf("starting the service %s: %w", service.Image, err)
	if errors.Is(err, job.ErrTooMuch) {
		return &driver.Refusal{Err: err, Hint: "remove some of the `variables:` of the service or the job in .gitlab-ci.yml, or put large values into files"}
	}
	place := ""
	if service.Added {
		place = p.Where("general.podman.services")
	}
	return site.Judge(err, place, otherwise)
}

// launcherFault returns the error for a launcher, or for a job that cannot be launched.
func launcherFault(p *policy.Policy, err error) error {
	var noDigest *spec.NoDigestError
	if errors.As(err, &noDigest) {
		return &driver.Fault{Err: err, Hint: "push it to a registry and use the registry's name"}
	}
	return &driver.Fault{Err: fmt.Errorf("finding the launcher: %w", err), Hint: "fix " + p.Where("general.podman.launcher")}
}

// imageFault turns the error of an image into a refusal if the job's author can fix it, and
// into a fault if the administrator must.
func imageFault(p *policy.Policy, pm *podman.Podman, w imageWanted, err error) error {
	wrapped := fmt.Errorf("getting the image %q: %w", w.name, err)
	if w.adminKey != "" {
		wrapped = fmt.Errorf("getting the image %q of %s: %w", w.name, w.adminKey, err)
	}
	otherwise := runAsRunner(pm, "pull "+w.name.String())
	var state *images.StateError
	id, lacksID := podman.PullLacksID(err)
	switch {
	case lacksID:
		return lacksIDFault(wrapped, id, w.adminKey != "")
	case errors.As(err, &state):
		return &driver.Fault{Err: wrapped, Hint: writableHint(p, "state_dir") + "; also check XDG_RUNTIME_DIR"}
	case w.adminKey != "":
		where := p.Where("general.podman." + w.adminKey)
		return site.Judge(wrapped, where, administratorsImageHint(w, where, otherwise, err))
	}
	if hint := authorsImageHint(w, err); hint != "" {
		return &driver.Refusal{Err: wrapped, Hint: hint}
	}
	if _, known := fault.Of(err); !known && podman.PullRefused(err) {
		return &driver.Refusal{Err: wrapped, Hint: "check the name and tag of `image:` in .gitlab-ci.yml, and that the job may read it (DOCKER_AUTH_CONFIG, or the project's access to the registry)"}
	}
	return site.Judge(wrapped, "", otherwise)
}

// administratorsImageHint is for an image that the policy names at that place.
func administratorsImageHint(w imageWanted, where, otherwise string, err error) string {
	switch {
	case errors.Is(err, images.ErrLocalhost) && slices.Contains(w.pull, podmanconfig.PullPolicyAlways):
		return fmt.Sprintf("choose another name for the image of %s, or a pull policy that takes what is on this host: `image_pull_policy = \"if-not-present\"` (now: %s)", where, w.pull)
	case errors.Is(err, images.ErrLocalhost):
		return fmt.Sprintf("build or load the image of %s on this host, as gitlab-runner's user", where)
	case errors.Is(err, podman.ErrNoImage):
		return fmt.Sprintf("pull the image of %s on this host, or allow pulling with image_pull_policy", where)
	}
	return fmt.Sprintf("check %s, and %s", where, otherwise)
}

// authorsImageHint is for an image that the job names; empty if its author can do nothing.
func authorsImageHint(w imageWanted, err error) string {
	switch {
	case errors.Is(err, images.ErrLocalhost) && slices.Contains(w.pull, podmanconfig.PullPolicyAlways):
		return fmt.Sprintf("check the name of `image:` in .gitlab-ci.yml; for an image that is on this host, choose `pull_policy: if-not-present` if this runner allows it (now: %s)", w.pull)
	case errors.Is(err, images.ErrLocalhost):
		return "check the name of `image:` in .gitlab-ci.yml, or ask the administrator of this runner for the image"
	case podman.ImageUnreadable(err):
		return "fix the configuration of the image (ENTRYPOINT, EXPOSE, HEALTHCHECK, …) where it is built, or use another image"
	case errors.Is(err, podman.ErrNoImage):
		return fmt.Sprintf("with the pull policy %s this job pulls no images; use an image that is on this host, or ask the administrator of this runner", w.pull)
	case errors.Is(err, images.ErrNotReadable):
		return fmt.Sprintf("with the pull policy %s this job asks no registry; choose another `pull_policy:` in .gitlab-ci.yml if this runner allows it, or ask its administrator (`podman-executor-cleanup --open-repository`)", w.pull)
	case errors.Is(err, podman.ErrPlatform) || w.platform != (policy.Platform{}) && podman.PullRefused(err):
		return fmt.Sprintf("check the name and tag of the image in .gitlab-ci.yml, that it exists for the `platform:` %s, and that the job may read it (DOCKER_AUTH_CONFIG, or the project's access to the registry)", w.platform)
	}
	return ""
}

// lacksIDFault returns the error for an image that has a file of a user whose id containers do
// not have here. If the usual range would have it, the administrator must enlarge the range;
// beyond that, the image is unusual.
func lacksIDFault(err error, id int64, administrators bool) error {
	ids := preflight.ReadSubIDs(preflight.CurrentUser(), false)
	if administrators || id <= preflight.LastID {
		return &driver.Fault{Err: err, Hint: ids.Enlarge(max(id, preflight.LastID))}
	}
	return &driver.Refusal{Err: err, Hint: ids.Authors(id)}
}

// shortID returns an image's ID as short as podman prints it.
func shortID(id string) string { return id[:min(len(id), 12)] }
