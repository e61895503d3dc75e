package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"podman-executor/internal/credentials"
	"podman-executor/internal/driver"
	"podman-executor/internal/images"
	"podman-executor/internal/site"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// jobImages are the images of one job; runner is the zero Image where the policy
// has step_script_only.
type jobImages struct {
	runner, user podman.Image
	services     []podman.Image
}

// wanted is an image that the job is to have, and how to speak of it.
type wanted struct {
	name     policy.Image
	pull     policy.PullPolicies
	platform policy.Platform
	// role ends the line in the job log: "in the user container".
	role string
	// adminKey is the policy's key that names it, empty for the job's own image.
	adminKey string
}

// images resolves all images, with the job's credentials for as long as that
// takes and no longer.
func (s *preparation) images(ctx context.Context, native podman.Platform) (all jobImages, err error) {
	finder, err := s.finder(native)
	if err != nil {
		return all, err
	}
	defer s.clearRuntimeDir()
	list := s.wanted()
	requests := make([]images.Request, len(list))
	for i, w := range list {
		requests[i] = w.request()
	}
	since := time.Now()
	if err := finder.Look(ctx, requests...); err != nil {
		return all, s.imageError(list[0], err)
	}
	found := make([]podman.Image, len(list))
	for i, w := range list {
		if found[i], err = s.image(ctx, finder, w, since); err != nil {
			return all, err
		}
	}
	if s.runnerName != "" {
		all.runner, found = found[0], found[1:]
	}
	all.user, all.services = found[0], found[1:]
	return all, nil
}

// wanted are the job's images: of the runner container where there is one, of the
// user container, of the services.
func (s *preparation) wanted() []wanted {
	var list []wanted
	if s.runnerName != "" {
		list = append(list, wanted{
			name: s.grant.RunnerImage, pull: s.grant.RunnerPull, role: "in the runner container", adminKey: "runner_image",
		})
	}
	user := wanted{name: s.grant.UserImage, pull: s.grant.UserPull, platform: s.grant.Platform, role: "in the user container"}
	if s.grant.DefaultImage {
		user.adminKey = "default_image"
	}
	list = append(list, user)
	for _, service := range s.grant.Services {
		w := wanted{name: service.Image, pull: service.Pull, platform: service.Platform, role: "as the service " + service.Aliases[0]}
		if service.Added {
			w.adminKey = "services"
		}
		list = append(list, w)
	}
	return list
}

func (w wanted) request() images.Request {
	return images.Request{
		Name: w.name.String(), Repository: w.name.Repository(), Policies: w.pull,
		Platform: podman.Platform(w.platform), Own: w.adminKey != "",
	}
}

// credentials collects those that the job may pull with.
func (s *preparation) credentials() (credentials.Set, []string, error) {
	var administrators credentials.File
	if name := s.policy.General.Podman.RegistryAuthFile; name != "" {
		var err error
		if administrators, err = credentials.ReadFile(name); err != nil {
			const key = "general.podman.registry_auth_file"
			return credentials.Set{}, nil, &driver.Fault{Err: err, Hint: fmt.Sprintf("mend the file of %s:%d: %s; gitlab-runner's user must be able to read it, and others not", s.policy.File(), s.policy.Line(key), key)}
		}
	}
	set, notices := credentials.Collect(s.call.Getenv(customPrefix+"DOCKER_AUTH_CONFIG"), administrators, s.job.Credentials)
	return set, notices, nil
}

// finder looks for images with the job's credentials.
func (s *preparation) finder(native podman.Platform) (*images.Finder, error) {
	set, notices, err := s.credentials()
	if err != nil {
		return nil, err
	}
	for _, n := range notices {
		s.call.Warn("%s", n)
	}
	readers := images.ReadersIn(site.StateDir(s.call, s.policy))
	readers.Project = s.job.ProjectName()
	return &images.Finder{
		Podman:   s.podman,
		AuthFile: func(repository string) (string, bool, error) { return set.Write(s.authDir(), repository) },
		Readers:  readers,
		// Not among the directories of jobs, which are looked through for leftovers.
		Locks:  filepath.Dir(s.authDir()) + "-locks",
		Native: native,
		Pulled: s.recordPulled,
		Note:   s.note,
		Warn:   s.call.Warn,
	}, nil
}

// recordPulled records an image that was pulled, and that no container will have: else it
// would stay for ever.
func (s *preparation) recordPulled(id string) {
	release, _, err := s.records().HoldImage(context.Background(), id, time.Now(), true)
	if err != nil {
		s.log.WithError(err).Warn("recording an image that was pulled and is not used: " + id)
		return
	}
	release()
}

// image resolves one image, which may have been looked for since that time, and says
// so in the job log.
func (s *preparation) image(ctx context.Context, finder *images.Finder, w wanted, since time.Time) (podman.Image, error) {
	started := time.Now()
	found, err := s.find(ctx, finder, w, since)
	if err != nil {
		return podman.Image{}, err
	}
	how := "found locally"
	if found.Pulled {
		how = fmt.Sprintf("pulled in %.1f s", time.Since(started).Seconds())
	}
	platform := ""
	if w.platform != (policy.Platform{}) {
		platform = " for " + w.platform.String()
	}
	s.note("Using image %s%s %s: %s, %d MB, %s", w.name, platform, w.role, found.Digest, found.Size/1e6, how)
	return found.Image, nil
}

// findTries is how often an image is looked for that is gone when it is held.
const findTries = 3

// find finds an image, and keeps it from being removed until it is released. Where it was
// removed before it was held, it is looked for again: what is held stays. It may
// have been found already, at since or later.
func (s *preparation) find(ctx context.Context, finder *images.Finder, w wanted, since time.Time) (images.Found, error) {
	for range findTries {
		found, err := finder.Find(ctx, w.request())
		if err != nil {
			return found, s.imageError(w, err)
		}
		release, there, err := s.records().HoldImage(ctx, found.ID, since, found.Pulled)
		if err != nil {
			return found, s.recordsFault(err)
		}
		s.held.add(release)
		if !there {
			there, err = s.podman.ImageExists(ctx, found.ID)
		}
		if err != nil {
			return found, s.imageError(w, err)
		}
		if there {
			return found, nil
		}
		since = time.Time{} // the record is this job's own now, and tells nothing
	}
	return images.Found{}, s.imageError(w, podman.ErrImageGone)
}

// imageError tells what the job's author can mend from what the administrator
// must.
func (s *preparation) imageError(w wanted, err error) error {
	where := fmt.Sprintf("%s:%d: general.podman.%s", s.policy.File(), s.policy.Line("general.podman."+w.adminKey), w.adminKey)
	wrapped := fmt.Errorf("getting the image %q: %w", w.name, err)
	var state *images.StateError
	missing := errors.Is(err, podman.ErrNoImage)
	id, lacksID := podman.PullLacksID(err)
	switch {
	case lacksID:
		return s.lacksID(wrapped, id, w.adminKey != "")
	case errors.As(err, &state):
		return &driver.Fault{Err: wrapped, Hint: "make general.state_dir of " + s.policy.File() + " a directory that gitlab-runner's user can write to, and XDG_RUNTIME_DIR, too"}
	case w.adminKey != "" && missing:
		return &driver.Fault{Err: wrapped, Hint: fmt.Sprintf("pull the image of %s on this host, or allow pulling by image_pull_policy", where)}
	case w.adminKey != "":
		return &driver.Fault{Err: wrapped, Hint: fmt.Sprintf("check the image of %s, and that this host reaches its registry", where)}
	case podman.ImageUnreadable(err):
		return &driver.Refusal{Err: wrapped, Hint: "fix the configuration of the image (ENTRYPOINT, EXPOSE, HEALTHCHECK, …) where it is built, or use another image"}
	case missing:
		return &driver.Refusal{Err: wrapped, Hint: fmt.Sprintf("by its pull policy %s this job pulls no image; use one that is there, or ask the administrator of this runner", w.pull)}
	case errors.Is(err, images.ErrNotReadable):
		return &driver.Refusal{Err: wrapped, Hint: fmt.Sprintf("by its pull policy %s this job asks no registry; choose another `pull_policy:` in .gitlab-ci.yml where this runner allows it, or ask its administrator (`podman-executor-cleanup --open-repository`)", w.pull)}
	case errors.Is(err, podman.ErrPlatform) || w.platform != (policy.Platform{}) && podman.PullRefused(err):
		return &driver.Refusal{Err: wrapped, Hint: fmt.Sprintf("check the name and tag of the image in .gitlab-ci.yml, that it exists for the `platform:` %s, and that the job may read it (DOCKER_AUTH_CONFIG, or the project's access to the registry)", w.platform)}
	case podman.PullRefused(err):
		return &driver.Refusal{Err: wrapped, Hint: "check the name and tag of `image:` in .gitlab-ci.yml, and that the job may read it (DOCKER_AUTH_CONFIG, or the project's access to the registry)"}
	default:
		return &driver.Fault{Err: wrapped, Hint: "check that this host reaches the registry, and its disk space"}
	}
}
