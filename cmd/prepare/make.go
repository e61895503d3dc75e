package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/plan"
	"podman-executor/internal/preflight"
	"podman-executor/internal/site"
	"podman-executor/internal/step"
	"podman-executor/internal/storage"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// make does what was decided: images, volumes, containers.
func (s *preparation) make(ctx context.Context) error {
	version, err := s.version(ctx)
	if err != nil {
		return &driver.Fault{Err: err, Hint: "run `" + s.podman.Program + " info` as the user that gitlab-runner runs as"}
	}
	s.note("Using podman %s under the policy %s", version.Version, s.policy.File())
	for _, n := range s.grant.Notices {
		s.call.Warn("%s", n)
	}
	if err := s.report(preflight.Program("podman", version.Version)); err != nil {
		return err
	}
	if err := s.checkSpace(ctx); err != nil {
		return err
	}
	if !s.launches() {
		if err := s.checkLimits(ctx); err != nil {
			return err
		}
	}
	hostRunner, err := s.hostRunner()
	if err != nil {
		return err
	}
	defer s.held.all()
	images, err := s.imagesAndVolumes(ctx, version.Native())
	if err != nil {
		return err
	}
	if s.launches() {
		return s.makeLaunch(images.user)
	}
	if err := s.startServices(ctx, version.Version, images.services); err != nil {
		return err
	}
	if err := s.createContainers(ctx, images, hostRunner); err != nil {
		return err
	}
	if err := s.warnWithoutRunner(ctx, hostRunner); err != nil {
		return err
	}
	return s.waitForServices(ctx, images.services)
}

// createContainers makes the job's containers, both at the same time: neither needs
// the other.
func (s *preparation) createContainers(ctx context.Context, images jobImages, hostRunner string) error {
	user, err := s.userContainer(ctx, images.user)
	if err != nil {
		return err
	}
	if s.hostOpen {
		if err := plan.Write(s.attempt, s.plan()); err != nil {
			return err
		}
	}
	if err := s.makeStepsDirs(); err != nil {
		return err
	}
	var runnerError, userError error
	var both sync.WaitGroup
	if s.runnerName != "" {
		runner := s.runnerContainer(images.runner, hostRunner)
		both.Go(func() { runnerError = s.create(ctx, runner, "runner_options", "container") })
	}
	both.Go(func() { userError = startFault(s.create(ctx, user, "custom_options", "container")) })
	both.Wait()
	if runnerError != nil {
		return runnerError
	}
	return userError
}

// startFault tells what an image or a machine lacks, of a user container that podman
// could not start.
func startFault(err error) error {
	switch {
	case podman.NoSuchProgram(err):
		return &driver.Refusal{Err: err, Hint: site.NoShellHint}
	case podman.NoSuchCDIDevice(err):
		return &driver.Fault{Err: err, Hint: site.NoCDIDeviceHint}
	}
	return err
}

// runnerContainer is the runner container, with the host's gitlab-runner where there
// is one.
func (s *preparation) runnerContainer(image podman.Image, hostRunner string) podman.Create {
	c := s.container("runner", image, s.grant.RunnerEntry)
	c.Options, c.Network = s.policy.General.Podman.RunnerOptions, s.grant.Network.Runner
	if hostRunner != "" {
		c.Volumes = append(c.Volumes, runnerMount(hostRunner, image))
	}
	s.confine(&c, s.grant.RunnerContainer)
	return c
}

// authorsContainer is what a container of the author's steps is granted, wherever it runs.
func (s *preparation) authorsContainer(image podman.Image) podman.Create {
	c := s.container("user", image, s.userEntry(image))
	c.Options, c.User = s.policy.General.Podman.CustomOptions, s.grant.User
	c.Platform = podman.Platform(s.grant.Platform)
	s.confine(&c, s.grant.Container)
	if c.Isolation.UserNS == "" {
		c.Isolation.UserNS = s.userNamespace(image)
	}
	s.hostOpen = s.isAnotherOnHost(c, image)
	if s.grant.Container.Privileged {
		s.log.Info("the user container is privileged")
	}
	return c
}

// userContainer is the user container, with the mounts that the job asks for.
func (s *preparation) userContainer(ctx context.Context, image podman.Image) (podman.Create, error) {
	c := s.authorsContainer(image)
	c.Network, c.Aliases = cmp.Or(s.network(), s.grant.Network.Mode), s.buildAliases()
	hosts, err := s.hosts(ctx)
	if err != nil {
		return c, err
	}
	c.Names.Hosts = slices.Concat(c.Names.Hosts, hosts)
	for _, m := range s.grant.Mounts {
		s.note("Mounting %s at %s (%s), as %s asks", m.Source, m.Destination, strings.Join(m.Options, ","), m.Variable)
		s.log.WithField("rule", m.Rule).Info("volume granted: " + m.Source)
	}
	if err := s.pinMounts(ctx); err != nil {
		return c, err
	}
	for _, m := range s.grant.Mounts {
		c.Volumes = append(c.Volumes, m.Source+":"+m.Destination+":"+strings.Join(m.Options, ","))
	}
	return c, nil
}

// note prints one line for the job log.
func (s *preparation) note(format string, args ...any) {
	fmt.Fprintln(s.call.Stdout, driver.Printable(fmt.Sprintf(format, args...)))
}

// authDir is the directory of the job's auth file, in memory.
func (s *preparation) authDir() string {
	return filepath.Join(job.RuntimeDir(s.podman.Getenv), filepath.Base(s.attempt))
}

// volumes makes sure that the job's builds and cache exist.
func (s *preparation) volumes(ctx context.Context) error {
	if err := s.ensureVolumes(ctx); err != nil || s.policy.General.DataDir == "" {
		return err
	}
	held := []string{s.builds, s.cache}
	if s.choseItsPlace() && !s.policy.General.Podman.StepScriptOnly {
		held[0] = s.hostBuilds()
	}
	for _, dir := range held {
		if err := s.hold(ctx, strings.TrimPrefix(dir, s.policy.General.DataDir+"/")); err != nil {
			return err
		}
	}
	for _, dir := range []string{s.hostBuilds(), s.cache} {
		if err := makePrivate(s.policy.General.DataDir, dir); err != nil {
			return &driver.Fault{
				Err:  fmt.Errorf("making the directories of builds and cache: %w", err),
				Hint: "make general.data_dir of " + s.policy.File() + " a directory that gitlab-runner's user can write to",
			}
		}
	}
	return nil
}

// hold records that the job uses a volume, or a directory below data_dir, and keeps
// both from being freed until it is released, when the job's containers have them.
func (s *preparation) hold(ctx context.Context, name string) error {
	release, err := s.records().Hold(ctx, name)
	if err != nil {
		return s.recordsFault(err)
	}
	s.held.add(release)
	return nil
}

func (s *preparation) records() storage.Records {
	return storage.RecordsIn(site.StateDir(s.call, s.policy))
}

func (s *preparation) recordsFault(err error) error {
	return &driver.Fault{Err: err, Hint: "make general.state_dir of " + s.policy.File() + " a directory that gitlab-runner's user can write to"}
}

// ensureVolumes makes those volumes that are still to be made: of the project, and
// without data_dir of builds and cache.
func (s *preparation) ensureVolumes(ctx context.Context) error {
	var volumes []podman.NewVolume
	for _, destination := range s.projectVolumes() {
		labels := s.job.VolumeLabels("volume")
		labels[job.LabelDestination] = destination
		volumes = append(volumes, podman.NewVolume{Name: s.job.VolumeName(job.VolumeRole(destination)), Labels: labels})
	}
	if s.policy.General.DataDir == "" {
		for _, role := range []string{"builds", "cache"} {
			volumes = append(volumes, podman.NewVolume{Name: s.job.VolumeName(role), Labels: s.job.VolumeLabels(role)})
		}
	}
	for _, v := range volumes {
		if err := s.hold(ctx, v.Name); err != nil {
			return err
		}
	}
	if err := s.podman.EnsureVolumes(ctx, volumes...); err != nil {
		return &driver.Fault{
			Err:  fmt.Errorf("making the job's volumes: %w", err),
			Hint: "run `" + s.podman.Program + " volume ls` as the user that gitlab-runner runs as, and check its disk space",
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
// own. Where a job has chosen a place of its own it is one that no other mount lies
// in: who writes to a directory could put a symbolic link in the place of the next
// job's mount. Steps on the host need the very place.
func (s *preparation) hostBuilds() string {
	switch {
	case !s.choseItsPlace():
		return filepath.Join(s.builds, s.job.RunnerToken, s.job.Slot)
	case s.policy.General.Podman.StepScriptOnly:
		return s.builds
	default:
		return filepath.Join(s.policy.General.DataDir, "chosen", filepath.Base(s.builds))
	}
}

// choseItsPlace tells that the job's directory is another than the runner's choice.
func (s *preparation) choseItsPlace() bool {
	return !strings.HasPrefix(s.job.ProjectDir, filepath.Join(s.builds, s.job.RunnerToken, s.job.Slot)+"/")
}

// makePrivate makes a directory below data_dir. The last one is writable for
// every user of the job's images; the ones above are closed to everybody else
// on the host. None of them may be a symbolic link, which podman would follow, nor
// somebody else's.
func makePrivate(dataDir, dir string) error {
	below, err := filepath.Rel(dataDir, dir)
	if err != nil || !filepath.IsLocal(below) {
		return fmt.Errorf("%s is not below %s", dir, dataDir)
	}
	owner := trust.Self()
	if err := trust.MakeDir(dataDir, owner); err != nil {
		return err
	}
	made, err := trust.MakeOwn(dataDir, below, owner)
	if err != nil {
		return err
	}
	defer made.Close()
	return os.Chmod(trust.InHandle(made), 0o777)
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
	if s.policy.General.DataDir != "" && !s.choseItsPlace() {
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
func (s *preparation) container(role string, image podman.Image, entry policy.EntryPoint) podman.Create {
	place := step.User
	if role == "runner" {
		place = step.Runner
	}
	c := podman.Create{
		Name: s.job.Name(role), Labels: s.labels(role, time.Now()), Hostname: cmp.Or(s.grant.Hostname, s.job.Hostname()),
		// The job ends before that; this ends one whose runner and driver have died.
		Timeout:    s.job.Timeout + time.Minute,
		Tmpfs:      []string{step.Tmpfs},
		Volumes:    []string{s.buildsVolume(), s.cacheVolume()},
		Entrypoint: "sh",
		// See workdir: the image's is entered by the command.
		Workdir: "/",
		Image:   image.ID,
		Command: step.Command(place, step.EntryPoint(entry), s.sources(), s.openDirectories()...),
	}
	s.stay(&c, place, step.EntryPoint(entry))
	c.Command = step.In(s.workdir(role, image), c.Command)
	return c
}

// sources is where the job's sources are, and what the runner does with them: by the variables
// that it goes by itself (gitlab-runner common/build.go:2228).
func (s *preparation) sources() step.Sources {
	submodules := s.call.Getenv(customPrefix + "GIT_SUBMODULE_STRATEGY")
	return step.Sources{
		Root: s.buildsMount(), Project: s.job.ProjectDir,
		Kept:       s.call.Getenv(customPrefix+"GIT_STRATEGY") == "none",
		Submodules: submodules == "normal" || submodules == "recursive",
	}
}

// workdir is the image's WORKDIR, or nothing where the administrator's options have another: podman is not to make it.
func (s *preparation) workdir(role string, image podman.Image) string {
	options := s.policy.General.Podman.CustomOptions
	if role == "runner" {
		options = s.policy.General.Podman.RunnerOptions
	}
	if slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "--workdir") || strings.HasPrefix(o, "-w") }) {
		return ""
	}
	return image.Config.WorkingDir
}

// openDirectories are those that every user of the job's images may write to.
func (s *preparation) openDirectories() []string {
	return append([]string{s.buildsMount(), s.cache}, s.grant.Container.Volumes.OwnByProject()...)
}

// userEntry is what comes before the script in the user container.
func (s *preparation) userEntry(image podman.Image) policy.EntryPoint {
	entry := s.grant.UserEntry
	if s.grant.ImageEntry && !slices.Equal(image.Config.Entrypoint, []string{""}) {
		entry.Words = image.Config.Entrypoint
	}
	return entry
}
