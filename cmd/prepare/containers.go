package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"podman-executor/internal/driver"
	"podman-executor/internal/handover"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/pin"
	"podman-executor/internal/plan"
	"podman-executor/internal/site"
	"podman-executor/internal/spec"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// makeRuntimeDir makes the directory, in memory, for what only podman may read. Its mark
// records that the job may have containers, so it is made before them and removed after them.
func makeRuntimeDir(in inputs, p plan.Plan) error {
	if err := trust.MakeDir(p.AuthDir, trust.Self()); err != nil {
		return runtimeDirFault(err)
	}
	return leftovers.Mark(p.AuthDir, in.runner, in.attempt)
}

// createContainers creates the job's two containers, both at the same time, since neither needs
// the other. hosts are the lines of /etc/hosts for services, hostRunner is the mount of the
// host's gitlab-runner.
func createContainers(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan, have obtained, hosts []string, hostRunner string) error {
	user, err := userContainer(ctx, in, pm, f, p, have.user, hosts)
	if err != nil {
		return err
	}
	p.HostOpen, p.UnusedEntryPoint = spec.HostOpen(f, user, have.user), spec.UnusedEntryPoint(f, have.user)
	p.GiveProject = spec.GivesProject(f, have.user)
	if p.HostOpen || len(p.UnusedEntryPoint) > 0 || p.GiveProject {
		if err := plan.Write(in.attempt, p); err != nil {
			return err
		}
	}
	if err := makeStepsDirs(p); err != nil {
		return err
	}
	var runnerError, userError error
	var both sync.WaitGroup
	if p.RunnerContainer != "" {
		runner := spec.Runner(f, p, have.runner, runnerMount(hostRunner, have.runner))
		both.Go(func() {
			runnerError = create(ctx, in, pm, runner, in.policy.Where("general.podman.runner_image"), "runner_options", "container")
		})
	}
	place := ""
	if f.Grant.DefaultImage {
		place = in.policy.Where("general.podman.default_image")
	}
	both.Go(func() { userError = create(ctx, in, pm, user, place, "custom_options", "container") })
	both.Wait()
	if runnerError != nil {
		return runnerError
	}
	return userError
}

// userContainer returns the user container, with the mounts that the job asks for.
func userContainer(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan, image podman.Image, hosts []string) (podman.Create, error) {
	warnOfUser(in, f, image)
	for _, m := range f.Grant.Mounts {
		in.call.Note("Mounting %s at %s (%s), requested by %s", m.Source, m.Destination, strings.Join(m.Options, ","), m.Variable)
		in.log.WithField("rule", m.Rule).Info("volume granted: " + m.Source)
	}
	mounts, err := pinned(ctx, in, pm, p, f.Grant.Mounts)
	if err != nil {
		return podman.Create{}, err
	}
	return spec.User(f, p, image, mounts, hosts), nil
}

// warnOfUser warns about oddities of the container of the author's steps.
func warnOfUser(in inputs, f spec.Facts, image podman.Image) {
	for _, w := range spec.Warnings(f, image) {
		in.call.Warn("%s", w)
	}
	if f.Grant.Container.Privileged {
		in.log.Info("the user container is privileged")
	}
}

// makeStepsDirs makes the directories through which containers get their steps. Their parent
// directory is closed to everybody but this user.
func makeStepsDirs(p plan.Plan) error {
	for _, dir := range p.StepsDirs {
		// An earlier attempt at this job may have left one.
		if err := errors.Join(os.RemoveAll(dir), handover.Make(dir)); err != nil {
			return runtimeDirFault(err)
		}
	}
	return nil
}

// create creates a container. place is where the policy names its image, see [site.Judge]. keys
// are the policy's keys, in [general.podman], that shape it: if podman's words are unknown, it
// most likely refuses one of their values.
func create(ctx context.Context, in inputs, pm *podman.Podman, c podman.Create, place string, keys ...string) error {
	err := unlessTaken(ctx, in.log, pm, c.Name, func() error {
		_, err := pm.Create(ctx, c)
		return err
	})
	if err == nil {
		return nil
	}
	hint := cmp.Or(checkKeys(in.policy, keys...), runAsRunner(pm, "run --rm --network=none --entrypoint true "+shortID(c.Image)))
	return site.Judge(fmt.Errorf("creating the container %s: %w", c.Name, ofImage{err, c.Image}), place, hint)
}

// pinned mounts the sources of the job's volumes at paths that no job can change. It returns
// the mounts with these paths as sources.
func pinned(ctx context.Context, in inputs, pm *podman.Podman, p plan.Plan, mounts []policy.Mount) ([]policy.Mount, error) {
	if p.PinDir == "" {
		return mounts, nil
	}
	if err := trust.MakeDir(p.PinDir, trust.Self()); err != nil {
		return nil, fmt.Errorf("pinning the job's volumes: %w", err)
	}
	if err := leftovers.Mark(p.PinDir, in.runner, in.attempt); err != nil {
		return nil, err
	}
	sources := make([]string, len(mounts))
	mounts = slices.Clone(mounts)
	for i := range mounts {
		sources[i], mounts[i].Source = mounts[i].Source, pin.Target(p.PinDir, i)
	}
	err := pin.Do(ctx, pm, p.PinDir, sources)
	var exit *podman.ExitError
	switch {
	case errors.As(err, &exit) && exit.Code == pin.ExitChanged:
		return nil, &driver.Refusal{
			Err:  fmt.Errorf("pinning the job's volumes: %s", exit.Stderr),
			Hint: "it was replaced while the job was starting; do not move directories that jobs use",
		}
	case err != nil:
		return nil, &driver.Fault{
			Err:  fmt.Errorf("pinning the job's volumes: %w", err),
			Hint: fmt.Sprintf("check that gitlab-runner's user can read them and that `%s unshare true` works", pm.Program),
		}
	}
	return mounts, nil
}
