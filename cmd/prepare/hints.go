package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"podman-executor/internal/driver"
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

// runAndCheckSpace returns the hint to do that, and to check whether the disk is full.
func runAndCheckSpace(pm *podman.Podman, command string) string {
	return runAsRunner(pm, command) + ", and check the free disk space"
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
// has. If it has none of them, the hint is about the machine.
func checkKeys(p *policy.Policy, pm *podman.Podman, keys ...string) string {
	var places []string
	for _, k := range keys {
		if key := "general.podman." + k; p.Line(key) > 0 {
			places = append(places, p.Where(key))
		}
	}
	if len(places) == 0 {
		return runAndCheckSpace(pm, "info")
	}
	return "check " + strings.Join(places, ", ")
}

// startFault returns the error for a user container that podman could not start, with what its
// image or the machine lacks.
func startFault(err error) error {
	switch {
	case podman.NoSuchProgram(err):
		return &driver.Refusal{Err: err, Hint: site.NoShellHint}
	case podman.NoSuchCDIDevice(err):
		return &driver.Fault{Err: err, Hint: site.NoCDIDeviceHint}
	}
	return err
}

// serviceFault turns an error of starting a service into a refusal or a fault. machine is the
// hint for the administrator.
func serviceFault(service policy.ServiceGrant, err error, machine string) error {
	err = fmt.Errorf("starting the service %s: %w", service.Image, err)
	switch {
	case errors.Is(err, job.ErrTooMuch):
		return &driver.Refusal{Err: err, Hint: "remove some of the `variables:` of the service or the job in .gitlab-ci.yml, or put large values into files"}
	case podman.NoSuchProgram(err) && !service.Added:
		return &driver.Refusal{Err: err, Hint: "check `entrypoint:` and `command:` of the service in .gitlab-ci.yml"}
	case podman.NoWorkdir(err) && !service.Added:
		return &driver.Refusal{Err: err, Hint: "create the WORKDIR of the service's image in its Containerfile (RUN mkdir)"}
	}
	return &driver.Fault{Err: err, Hint: cmp.Or(driver.Hint(err), machine)}
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
func imageFault(p *policy.Policy, w imageWanted, err error) error {
	wrapped := fmt.Errorf("getting the image %q: %w", w.name, err)
	var state *images.StateError
	id, lacksID := podman.PullLacksID(err)
	switch {
	case lacksID:
		return lacksIDFault(wrapped, id, w.adminKey != "")
	case errors.As(err, &state):
		return &driver.Fault{Err: wrapped, Hint: writableHint(p, "state_dir") + "; also check XDG_RUNTIME_DIR"}
	case podman.RateLimited(err):
		return &driver.Fault{Err: wrapped, Hint: rateLimitHint(p, w)}
	case w.adminKey != "":
		return &driver.Fault{Err: wrapped, Hint: administratorsImageHint(p.Where("general.podman."+w.adminKey), err)}
	}
	if hint := authorsImageHint(w, err); hint != "" {
		return &driver.Refusal{Err: wrapped, Hint: hint}
	}
	return &driver.Fault{Err: wrapped, Hint: "check that this host can reach the registry and has free disk space"}
}

// rateLimitHint is for a registry that limits how much an account, or an address without one, may
// pull.
func rateLimitHint(p *policy.Policy, w imageWanted) string {
	host, _, _ := strings.Cut(w.name.String(), "/")
	return "wait, or pull with an account that has a higher limit: the job's variable DOCKER_AUTH_CONFIG, or general.podman.registry_auth_file in " +
		p.File() + "; or set up a mirror of " + host + " in this host's registries.conf"
}

// administratorsImageHint is for an image that the policy names at that place.
func administratorsImageHint(where string, err error) string {
	if errors.Is(err, podman.ErrNoImage) {
		return fmt.Sprintf("pull the image of %s on this host, or allow pulling with image_pull_policy", where)
	}
	return fmt.Sprintf("check %s, and that this host can reach its registry", where)
}

// authorsImageHint is for an image that the job names; empty if its author can do nothing.
func authorsImageHint(w imageWanted, err error) string {
	switch {
	case podman.ImageUnreadable(err):
		return "fix the configuration of the image (ENTRYPOINT, EXPOSE, HEALTHCHECK, …) where it is built, or use another image"
	case errors.Is(err, podman.ErrNoImage):
		return fmt.Sprintf("with the pull policy %s this job pulls no images; use an image that is on this host, or ask the administrator of this runner", w.pull)
	case errors.Is(err, images.ErrNotReadable):
		return fmt.Sprintf("with the pull policy %s this job asks no registry; choose another `pull_policy:` in .gitlab-ci.yml if this runner allows it, or ask its administrator (`podman-executor-cleanup --open-repository`)", w.pull)
	case errors.Is(err, podman.ErrPlatform) || w.platform != (policy.Platform{}) && podman.PullRefused(err):
		return fmt.Sprintf("check the name and tag of the image in .gitlab-ci.yml, that it exists for the `platform:` %s, and that the job may read it (DOCKER_AUTH_CONFIG, or the project's access to the registry)", w.platform)
	case podman.PullRefused(err):
		return "check the name and tag of `image:` in .gitlab-ci.yml, and that the job may read it (DOCKER_AUTH_CONFIG, or the project's access to the registry)"
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
