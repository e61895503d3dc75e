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

// removeLeftovers removes what dead runners, and an earlier attempt at this job, left behind.
// podman is asked for containers only if there is a sign that some may be left: see
// docs/decisions/0020.
func removeLeftovers(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan) error {
	evidence, err := f.Dirs.Marks(pm, p.AuthDir, f.Now)
	if err != nil {
		in.log.WithError(err).Warn("removing directories of dead runners")
	}
	removed, looked := lookForContainers(ctx, in.log, pm, f, p, evidence)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !looked && evidence.Own {
		if err := pm.Remove(ctx, p.Containers()...); err != nil {
			return leftoversFault(pm, fmt.Errorf("removing what an earlier attempt at the job left behind: %w", err))
		}
	}
	// A job without services has no network, and listing networks costs a command.
	if len(removed) > 0 || p.Network != "" {
		if err := leftovers.Networks(ctx, pm, f.Now, p.Network); err != nil {
			in.log.WithError(err).Warn("removing networks of dead runners")
		}
	}
	if !removeElsewhere(ctx, in, pm, f, p, evidence.Found) || !looked && evidence.Found {
		// The marks stay until podman and all services were searched.
		evidence.Orphans = nil
	}
	pinned, err := f.Dirs.Pinned(f.Now)
	secrets, secretsErr := f.Dirs.Secrets(p.Podman.URL, p.SecretsDir, f.Now)
	downloads, downloadsErr := leftovers.Downloads(f.Dirs.PullDir, true, f.Now)
	err = errors.Join(err, secretsErr, downloadsErr)
	for _, o := range slices.Concat(pinned, secrets, downloads, evidence.Orphans) {
		err = errors.Join(err, o.Remove(ctx, pm))
	}
	if err != nil {
		in.log.WithError(err).Warn("removing volumes, secrets, downloads and directories of dead runners")
	}
	if err := removeLaunched(ctx, pm, f); err != nil {
		in.log.WithError(err).Warn("removing launched jobs of dead runners")
	}
	if err := f.Dirs.RemoveAttempts(f.Now); err != nil {
		in.log.WithError(err).Warn("removing directories of dead runners")
	}
	return nil
}

// lookForContainers removes the containers of finished jobs, and those of an earlier attempt at
// this one. It returns the names of what it removed, and whether podman was asked and answered.
// If podman fails, this goes to the administrator's log and does not fail the job: other
// people's images and containers may be the cause.
func lookForContainers(ctx context.Context, log *site.Log, pm *podman.Podman, f spec.Facts, p plan.Plan, evidence leftovers.Marks) (removed []string, looked bool) {
	if !evidence.AskPodman {
		return nil, false
	}
	removed, elsewhere, err := leftovers.Containers(ctx, pm, f.Now, p.Containers()...)
	if err != nil && ctx.Err() != nil {
		return nil, false
	}
	if err != nil {
		log.WithError(err).Warn("looking for containers of dead runners")
		if err := leftovers.RecordFailure(pm); err != nil {
			log.WithError(err).Warn("looking for containers of dead runners")
		}
		return nil, false
	}
	for _, name := range removed {
		logRemoved(log, name)
	}
	// No file on this machine shows that a runner elsewhere is gone.
	if !elsewhere && pm.URL == "" {
		if err := leftovers.RecordAsked(pm); err != nil {
			log.WithError(err).Warn("remembering that leftovers were looked for")
		}
	}
	return removed, true
}

func logRemoved(log *site.Log, name string) {
	log.Warn("removed a leftover of a finished job: " + name)
}

// removeElsewhere removes leftovers on the services that the job did not get, if there is a
// sign of some, or nobody has looked for a long time. It reports whether all of them were
// searched.
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
			in.log.WithError(err).Warn("looking for secrets of dead runners")
		}
		if !found && len(secrets) == 0 && leftovers.AskedLately(&other, f.Now) {
			continue
		}
		if leftovers.FailedLately(&other, f.Now) {
			all = false
			continue
		}
		if err := removeOn(ctx, in.log, other, h, f, p, secrets); err != nil {
			in.log.WithError(err).Warn("removing leftovers on the podman service " + h.URL)
			all = false
		}
	}
	return all
}

// removeOn removes leftovers on a service that the job did not get, including the given
// secrets.
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
		log.Warn("removed a leftover of a finished job, on " + h.URL + ": " + name)
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

// removeLaunched removes what launched jobs of dead runners, and an earlier attempt at this
// job, left behind.
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

// unlessTaken creates a container. If the name is taken, by a container that an earlier attempt
// at the job left without a mark, it removes that one and tries again.
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
