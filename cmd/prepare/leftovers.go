package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"podman-executor/internal/job"
	"podman-executor/internal/launch"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/plan"
	"podman-executor/internal/remote"
	"podman-executor/internal/site"
	"podman-executor/internal/slurm"
	"podman-executor/internal/spec"
	"podman-executor/pkg/podman"
)

// removeLeftovers removes what dead runners, and an earlier attempt at this job, left
// behind. podman is asked for containers only where something tells that there may be
// some: see docs/decisions/0020.
func removeLeftovers(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan) error {
	evidence, err := f.Dirs.Marks(pm, p.AuthDir, f.Now)
	if err != nil {
		in.log.WithError(err).Warn("directories of dead runners")
	}
	removed, looked := lookForContainers(ctx, in.log, pm, f, p, evidence)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !looked && evidence.Own {
		if err := pm.Remove(ctx, p.Containers()...); err != nil {
			return leftoversFault(pm, fmt.Errorf("removing what an earlier attempt at the job has left: %w", err))
		}
	}
	// A job without services has no network; a list of them costs a command.
	if len(removed) > 0 || p.Network != "" {
		if err := leftovers.Networks(ctx, pm, f.Now, p.Network); err != nil {
			in.log.WithError(err).Warn("networks of dead runners")
		}
	}
	if !removeElsewhere(ctx, in, pm, f, p, evidence.Found) || !looked && evidence.Found {
		// The marks stay until podman, and all services, were looked at.
		evidence.Orphans = nil
	}
	pinned, err := f.Dirs.Pinned(f.Now)
	secrets, secretsErr := f.Dirs.Secrets(p.Podman.URL, p.SecretsDir, f.Now)
	err = errors.Join(err, secretsErr)
	for _, o := range slices.Concat(pinned, secrets, evidence.Orphans) {
		err = errors.Join(err, o.Remove(ctx, pm))
	}
	if err != nil {
		in.log.WithError(err).Warn("volumes, secrets and directories of dead runners")
	}
	if err := removeLaunched(ctx, pm, f); err != nil {
		in.log.WithError(err).Warn("launched jobs of dead runners")
	}
	if err := f.Dirs.RemoveAttempts(f.Now); err != nil {
		in.log.WithError(err).Warn("directories of dead runners")
	}
	return nil
}

// lookForContainers removes the containers of jobs that are over, and those of an earlier
// attempt at this one. It returns the names of what it removed, and whether podman was asked,
// and has answered. That it does not is the administrator's to know, and no fault of this
// job's: it may be for what other people's images and containers are.
func lookForContainers(ctx context.Context, log *site.Log, pm *podman.Podman, f spec.Facts, p plan.Plan, evidence leftovers.Marks) (removed []string, looked bool) {
	if !evidence.AskPodman {
		return nil, false
	}
	removed, elsewhere, err := leftovers.Containers(ctx, pm, f.Now, p.Containers()...)
	if err != nil && ctx.Err() != nil {
		return nil, false
	}
	if err != nil {
		log.WithError(err).Warn("containers of dead runners")
		if err := leftovers.RecordFailure(pm); err != nil {
			log.WithError(err).Warn("containers of dead runners")
		}
		return nil, false
	}
	for _, name := range removed {
		logRemoved(log, name)
	}
	// Of a runner elsewhere no file of this machine will tell that it is gone.
	if !elsewhere && pm.URL == "" {
		if err := leftovers.RecordAsked(pm); err != nil {
			log.WithError(err).Warn("leftovers of dead runners")
		}
	}
	return removed, true
}

func logRemoved(log *site.Log, name string) {
	log.Warn("removed a leftover of a job that is over: " + name)
}

// removeElsewhere removes leftovers on the services that the job did not get,
// where something tells that there may be some, or nobody has looked for long. It tells
// whether all of them were looked at.
func removeElsewhere(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan, found bool) bool {
	all := true
	for _, h := range site.Hosts(in.policy) {
		if h == p.Podman.Host() {
			continue
		}
		other := *pm
		other.URL = h.URL
		secrets, err := f.Dirs.Secrets(h.URL, p.SecretsDir, f.Now)
		if err != nil {
			in.log.WithError(err).Warn("secrets of dead runners")
		}
		if !found && len(secrets) == 0 && leftovers.AskedLately(&other, f.Now) {
			continue
		}
		if leftovers.FailedLately(&other, f.Now) {
			all = false
			continue
		}
		if err := removeOn(ctx, in.log, other, h, f, p, secrets); err != nil {
			in.log.WithError(err).Warn("leftovers on the service " + h.URL)
			all = false
		}
	}
	return all
}

// removeOn removes leftovers on a service that the job did not get, with secrets that are there.
func removeOn(ctx context.Context, log *site.Log, pm podman.Podman, h remote.Endpoint, f spec.Facts, p plan.Plan, secrets []leftovers.Orphan) error {
	other, disconnect, err := site.ConnectAndPing(ctx, pm, h)
	if err != nil {
		return err
	}
	defer disconnect()
	removed, elsewhere, err := leftovers.Containers(ctx, &other, f.Now, p.Containers()...)
	if err != nil {
		return errors.Join(err, leftovers.RecordFailure(&pm))
	}
	for _, name := range removed {
		log.Warn("removed a leftover of a job that is over, on " + h.URL + ": " + name)
	}
	err = leftovers.Networks(ctx, &other, f.Now, p.Network)
	for _, o := range secrets {
		err = errors.Join(err, o.Remove(ctx, &other))
	}
	if err != nil || elsewhere {
		return err
	}
	return leftovers.RecordAsked(&pm)
}

// removeLaunched removes what launched jobs of dead runners left behind, and an earlier
// attempt at this job.
func removeLaunched(ctx context.Context, pm *podman.Podman, f spec.Facts) error {
	if !f.Launches() {
		return nil
	}
	launcher, err := podman.FindProgram(f.Policy.General.Podman.Launcher[0])
	if err != nil {
		return err
	}
	over, err := leftovers.OrphanDirectories(f.LaunchParent(), "*", f.Now)
	dirs := []string{f.LaunchDir()}
	for _, o := range over {
		dirs = append(dirs, o.Name)
	}
	for _, dir := range dirs {
		err = errors.Join(err, launch.Remove(ctx, dir, slurm.Beside(launcher, pm.Env), pm))
	}
	return err
}

// unlessTaken makes a container of that name. One that has it, since nothing told that
// an earlier attempt at the job has left it, is removed first: that one alone is asked about.
func unlessTaken(ctx context.Context, log *site.Log, pm *podman.Podman, name string, create func() error) error {
	err := create()
	if !podman.NameTaken(err) {
		return err
	}
	id, lookErr := pm.Managed(ctx, name, job.LabelManaged)
	switch {
	case lookErr != nil:
		return leftoversFault(pm, fmt.Errorf("looking for leftovers: %w", lookErr))
	case id == "":
		return err
	}
	if err := pm.Remove(ctx, id); err != nil {
		return leftoversFault(pm, fmt.Errorf("removing leftovers: %w", err))
	}
	logRemoved(log, name)
	return create()
}
