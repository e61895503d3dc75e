package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containers/common/pkg/config"

	"podman-executor/internal/credentials"
	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// make does what was decided: images, volumes, containers.
func (s *preparation) make(ctx context.Context) error {
	version, err := s.podman.Version(ctx)
	if err != nil {
		return &driver.Fault{Err: err, Todo: "run `" + s.podman.Program + " info` as the user that gitlab-runner runs as"}
	}
	s.note("Using podman %s under the policy %s", version, s.policy.File())
	for _, n := range s.grant.Notices {
		s.call.Warn("%s", n)
	}
	if err := s.checkLimits(ctx); err != nil {
		return err
	}
	hostRunner, err := s.hostRunner()
	if err != nil {
		return err
	}
	runnerImage, userImage, serviceImages, err := s.images(ctx)
	if err != nil {
		return err
	}
	if err := s.volumes(ctx); err != nil {
		return err
	}
	if err := s.startServices(ctx, serviceImages); err != nil {
		return err
	}
	if s.runnerName != "" {
		if err := s.createRunner(ctx, runnerImage, hostRunner); err != nil {
			return err
		}
	}
	if err := s.createUser(ctx, userImage); err != nil {
		return err
	}
	if err := s.warnWithoutRunner(ctx, hostRunner); err != nil {
		return err
	}
	return s.waitForServices(ctx, serviceImages)
}

// createRunner makes the runner container, with the host's gitlab-runner where
// there is one.
func (s *preparation) createRunner(ctx context.Context, image podman.Image, hostRunner string) error {
	c := s.container("runner", image.ID, s.grant.RunnerEntry)
	c.Options, c.Network = s.policy.General.Podman.RunnerOptions, s.grant.Network.Runner
	if hostRunner != "" {
		c.Volumes = append(c.Volumes, runnerMount(hostRunner, image))
	}
	s.confine(&c, s.grant.RunnerContainer)
	return s.create(ctx, c, "runner_options", "container")
}

// createUser makes the user container, with the mounts that the job asks for.
func (s *preparation) createUser(ctx context.Context, image podman.Image) error {
	c := s.container("user", image.ID, s.grant.UserEntry)
	c.Options, c.User = s.policy.General.Podman.CustomOptions, s.grant.User
	c.Network, c.Aliases = cmp.Or(s.network(), s.grant.Network.Mode), s.buildAliases()
	s.confine(&c, s.grant.Container)
	if c.Isolation.UserNS == "" {
		c.Isolation.UserNS = s.userNamespace(image)
	}
	hosts, err := s.serviceHosts(ctx)
	if err != nil {
		return err
	}
	c.Names.Hosts = slices.Concat(c.Names.Hosts, hosts)
	if s.grant.Container.Privileged {
		s.log.Info("the user container is privileged")
	}
	for _, m := range s.grant.Mounts {
		c.Volumes = append(c.Volumes, m.Source+":"+m.Destination+":"+strings.Join(m.Options, ","))
		s.note("Mounting %s at %s (%s), as %s asks", m.Source, m.Destination, strings.Join(m.Options, ","), m.Variable)
		s.log.WithField("rule", m.Rule).Info("volume granted: " + m.Source)
	}
	return s.create(ctx, c, "custom_options", "container")
}

// note prints one line for the job log.
func (s *preparation) note(format string, args ...any) {
	fmt.Fprintln(s.call.Stdout, driver.Printable(fmt.Sprintf(format, args...)))
}

// removeLeftovers removes what dead runners, and an earlier attempt at this job,
// left behind.
func (s *preparation) removeLeftovers(ctx context.Context) error {
	now := time.Now()
	removed, err := leftovers.Containers(ctx, s.podman, now, s.plan().Containers()...)
	if err != nil {
		return &driver.Fault{Err: err, Todo: "run `" + s.podman.Program + " ps --all` as the user that gitlab-runner runs as"}
	}
	for _, name := range removed {
		s.log.Warn("removed a leftover of a job whose runner is gone: " + name)
	}
	// A job without services has no network; a list of them costs a command.
	if len(removed) > 0 || s.network() != "" {
		if err := leftovers.Networks(ctx, s.podman, now, s.network()); err != nil {
			s.log.WithError(err).Warn("networks of dead runners")
		}
	}
	for _, place := range []struct{ parent, pattern string }{
		// The runner's directory for each attempt at a job
		// (gitlab-runner executors/custom/custom.go:101).
		{filepath.Dir(s.attempt), "custom-executor*"},
		{filepath.Dir(s.authDir()), "*"},
	} {
		if err := leftovers.Directories(place.parent, place.pattern, now); err != nil {
			s.log.WithError(err).Warn("directories of dead runners")
		}
	}
	return nil
}

// authDir is the directory of the job's auth file. It lies in the user's
// runtime directory, which is in memory: the runner's TMPDIR may be private to
// the runner (PrivateTmp=), while rootless podman looks at files from the mount
// namespace of its first process.
func (s *preparation) authDir() string {
	base := s.podman.Getenv("XDG_RUNTIME_DIR")
	if base == "" {
		base = "/run"
	}
	return filepath.Join(base, "podman-executor", filepath.Base(s.attempt))
}

// images resolves all images, with the job's credentials for as long as that
// takes and no longer.
func (s *preparation) images(ctx context.Context) (runnerImage, userImage podman.Image, services []podman.Image, err error) {
	authFile, err := s.writeAuthFile()
	if err != nil {
		return runnerImage, userImage, nil, err
	}
	defer os.RemoveAll(s.authDir())
	if s.runnerName != "" {
		runnerImage, err = s.image(ctx, "in the runner container", s.grant.RunnerImage, s.grant.RunnerPull, authFile, "runner_image")
		if err != nil {
			return runnerImage, userImage, nil, err
		}
	}
	own := ""
	if s.grant.DefaultImage {
		own = "default_image"
	}
	userImage, err = s.image(ctx, "in the user container", s.grant.UserImage, s.grant.UserPull, authFile, own)
	if err != nil {
		return runnerImage, userImage, nil, err
	}
	for _, service := range s.grant.Services {
		own := ""
		if service.Added {
			own = "services"
		}
		image, err := s.image(ctx, "as the service "+service.Aliases[0], service.Image, service.Pull, authFile, own)
		if err != nil {
			return runnerImage, userImage, nil, err
		}
		services = append(services, image)
	}
	return runnerImage, userImage, services, nil
}

func (s *preparation) writeAuthFile() (string, error) {
	set, notices := credentials.Collect(s.call.Getenv(customPrefix+"DOCKER_AUTH_CONFIG"), s.job.Credentials)
	for _, n := range notices {
		s.call.Warn("%s", n)
	}
	if err := s.makeRuntimeDir(); err != nil {
		return "", err
	}
	return set.Write(s.authDir())
}

// image resolves one image and says so in the job log. adminKey is the policy's
// key that names it, empty for the job's own image.
func (s *preparation) image(ctx context.Context, role string, name policy.Image, pull config.PullPolicy, authFile, adminKey string) (podman.Image, error) {
	started := time.Now()
	image, err := s.podman.Resolve(ctx, name.String(), pull, authFile)
	if err != nil {
		return image, s.imageError(name, adminKey, err)
	}
	if image.PullError != nil {
		s.call.Warn("using the local image %s: %v", name, image.PullError)
	}
	how := "found locally"
	if image.Pulled {
		how = fmt.Sprintf("pulled in %.1f s", time.Since(started).Seconds())
	}
	s.note("Using image %s %s: %s, %d MB, %s", name, role, image.Digest, image.Size/1e6, how)
	return image, nil
}

// imageError tells what the job's author can mend from what the administrator
// must.
func (s *preparation) imageError(name policy.Image, adminKey string, err error) error {
	where := fmt.Sprintf("%s:%d: general.podman.", s.policy.File(), s.policy.Line("general.podman."+adminKey))
	wrapped := fmt.Errorf("getting the image %q: %w", name, err)
	missing := errors.Is(err, podman.ErrNoImage)
	switch {
	case adminKey != "" && missing:
		return &driver.Fault{Err: wrapped, Todo: fmt.Sprintf("pull the image of %s%s on this host, or allow pulling by image_pull_policy", where, adminKey)}
	case adminKey != "":
		return &driver.Fault{Err: wrapped, Todo: fmt.Sprintf("check the image of %s%s, and that this host reaches its registry", where, adminKey)}
	case missing:
		return &driver.Refusal{Err: wrapped, Todo: fmt.Sprintf("the policy of this runner (image_pull_policy = %q) pulls no images; use one that is there, or ask the administrator", s.grant.UserPull)}
	case podman.PullRefused(err):
		return &driver.Refusal{Err: wrapped, Todo: "check the name and tag of `image:` in .gitlab-ci.yml, and that the job may read it (DOCKER_AUTH_CONFIG, or the project's access to the registry)"}
	default:
		return &driver.Fault{Err: wrapped, Todo: "check that this host reaches the registry, and its disk space"}
	}
}

// volumes makes sure that the job's builds and cache exist.
func (s *preparation) volumes(ctx context.Context) error {
	for _, destination := range s.projectVolumes() {
		labels := s.job.VolumeLabels("volume")
		labels[job.LabelDestination] = destination
		if err := s.ensureVolume(ctx, job.VolumeRole(destination), destination, labels); err != nil {
			return err
		}
	}
	if s.policy.General.DataDir == "" {
		for _, role := range []string{"builds", "cache"} {
			if err := s.ensureVolume(ctx, role, role, s.job.VolumeLabels(role)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, dir := range []string{s.hostBuilds(), s.cache} {
		if err := makePrivate(s.policy.General.DataDir, dir); err != nil {
			return &driver.Fault{
				Err:  fmt.Errorf("making the directories of builds and cache: %w", err),
				Todo: "make general.data_dir of " + s.policy.File() + " a directory that gitlab-runner's user can write to",
			}
		}
	}
	return nil
}

func (s *preparation) ensureVolume(ctx context.Context, role, purpose string, labels map[string]string) error {
	if err := s.podman.EnsureVolume(ctx, s.job.VolumeName(role), labels); err != nil {
		return &driver.Fault{
			Err:  fmt.Errorf("making the volume for %s: %w", purpose, err),
			Todo: "run `" + s.podman.Program + " volume ls` as the user that gitlab-runner runs as, and check its disk space",
		}
	}
	return nil
}

// projectVolumes are the destinations of the volumes that the policy gives each
// project, in any of the job's containers.
func (s *preparation) projectVolumes() []string {
	list := s.grant.Container.Volumes.OwnByProject()
	for _, service := range s.grant.Services {
		list = append(list, service.Container.Volumes.OwnByProject()...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// hostBuilds is the part of data_dir that is this runner's, slot's and project's
// own, or the project's whole part, where a job has chosen a place of its own in it.
func (s *preparation) hostBuilds() string {
	own := filepath.Join(s.builds, s.job.RunnerToken, s.job.Slot)
	if !strings.HasPrefix(s.job.ProjectDir, own+"/") {
		return s.builds
	}
	return own
}

// makePrivate makes a directory below data_dir. The last one is writable for
// every user of the job's images; the ones above are closed to everybody else
// on the host.
func makePrivate(dataDir, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory", dir)
	}
	if rel, err := filepath.Rel(dataDir, dir); err != nil || strings.HasPrefix(rel, "..") {
		return fmt.Errorf("%s is not below %s", dir, dataDir)
	}
	return os.Chmod(dir, 0o777)
}

// buildsVolume and cacheVolume are the mounts of the job's builds and cache.
func (s *preparation) buildsVolume() string {
	if s.policy.General.DataDir != "" {
		return s.hostBuilds() + ":" + s.buildsMount() + ":z"
	}
	return s.job.VolumeName("builds") + ":" + s.buildsMount() + ":nocopy"
}

// buildsMount is where the containers have the job's builds.
func (s *preparation) buildsMount() string {
	if s.policy.General.DataDir != "" {
		return s.hostBuilds()
	}
	return s.builds
}

func (s *preparation) cacheVolume() string {
	if s.policy.General.DataDir != "" {
		return s.cache + ":" + s.cache + ":z"
	}
	return s.job.VolumeName("cache") + ":" + s.cache + ":nocopy"
}

// container returns what both containers have in common.
func (s *preparation) container(role, imageID string, entry policy.EntryPoint) podman.Create {
	place := step.User
	if role == "runner" {
		place = step.Runner
	}
	open := append([]string{s.buildsMount(), s.cache}, s.grant.Container.Volumes.OwnByProject()...)
	return podman.Create{
		Name: s.job.Name(role), Labels: s.labels(role, time.Now()), Hostname: cmp.Or(s.grant.Hostname, s.job.Hostname()),
		// Each step ends by itself before the job's own timeout; this ends
		// one whose runner and driver have died.
		Timeout:    s.job.Timeout + time.Minute,
		Tmpfs:      []string{step.Tmpfs},
		Volumes:    []string{s.buildsVolume(), s.cacheVolume()},
		Entrypoint: "sh",
		Image:      imageID,
		Command:    step.Command(place, step.EntryPoint(entry), open...),
	}
}
