package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/containers/common/pkg/config"

	"podman-executor/internal/driver"
	"podman-executor/internal/launch"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/plan"
	"podman-executor/internal/slurm"
	"podman-executor/internal/step"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// launches tells whether the author's steps run elsewhere, by a launcher.
func (s *preparation) launches() bool { return len(s.policy.General.Podman.Launcher) > 0 }

// launchDir is the job's directory that is the same here and there, below data_dir.
func (s *preparation) launchDir() string {
	if !s.launches() {
		return ""
	}
	return filepath.Join(launchParent(s.policy.General.DataDir), s.job.Name("launch"))
}

// launchParent has the directories of all launched jobs.
func launchParent(dataDir string) string { return filepath.Join(dataDir, ".podman-executor") }

// slurmVariables are what a container gets of Slurm's environment, where it is known
// to podman.
var slurmVariables = []string{"SLURM_JOB_ID", "SLURM_JOB_NODELIST", "SLURMD_NODENAME", "SLURM_CPUS_ON_NODE", "SLURM_CPUS_PER_TASK", "SLURM_MEM_PER_NODE"}

// makeLaunch makes what a launched step needs, and puts it into the plan: the container
// of each step is made where the step runs.
func (s *preparation) makeLaunch(image podman.Image) error {
	l, err := s.launcher()
	if err != nil {
		return err
	}
	l.Dir = s.launchDir()
	if l.Container, err = s.launchedContainer(image); err != nil {
		return err
	}
	l.Container.Volumes = append(l.Container.Volumes, launch.ReportMount(l.Dir))
	if l.AuthFile, err = s.launchAuthFile(); err != nil {
		return err
	}
	err = launch.Make(s.policy.General.DataDir, l.Dir)
	if err == nil {
		err = leftovers.Mark(l.Dir, s.owner, s.attempt)
	}
	if err != nil {
		return &driver.Fault{Err: err, Hint: "make general.data_dir of " + s.policy.File() + " a directory that gitlab-runner's user can write to"}
	}
	p := s.plan()
	p.Launch = &l
	return plan.Write(s.attempt, p)
}

// launcher is the policy's launcher, with the job's own words.
func (s *preparation) launcher() (plan.Launch, error) {
	const key = "general.podman.launcher"
	pm := s.policy.General.Podman
	l := plan.Launch{Batch: pm.LauncherMode == policy.LauncherBatch, Variable: pm.SchedulerVariable, Options: s.grant.LauncherOptions}
	program, err := podman.FindProgram(pm.Launcher[0])
	if err == nil {
		err = trust.Path(program, trust.Self())
	}
	if err != nil {
		return l, &driver.Fault{Err: fmt.Errorf("finding the launcher: %w", err), Hint: fmt.Sprintf("mend %s:%d: %s", s.policy.File(), s.policy.Line(key), key)}
	}
	l.Program = program
	switch filepath.Base(program) {
	case "srun", "sbatch":
		l.Slurm = true
	}
	words := launcherWords(s.job)
	for _, w := range pm.Launcher[1:] {
		l.Words = append(l.Words, words.Replace(w))
	}
	l.Words = append(l.Words, s.grant.LauncherOptions...)
	return l, nil
}

// launchedContainer is the container of a step of the author's, as `podman run` makes it
// where it is launched. Its image is named by its digest, so that every machine has the
// same; this machine has asked the registry whether the job may have it.
func (s *preparation) launchedContainer(image podman.Image) (podman.Create, error) {
	c := s.authorsContainer(image)
	c.Attached, c.Network = true, s.grant.Network.Mode
	c.Command = step.In(s.workdir("user", image), launch.Command(step.EntryPoint(s.userEntry(image)), grace))
	c.EnvNames = slices.Clone(slurmVariables)
	if image.Digest == "" {
		return c, &driver.Fault{
			Err:  fmt.Errorf("the image %s has no digest, by which another machine could have the same", s.grant.UserImage),
			Hint: "push it to a registry, and name it by that",
		}
	}
	c.Image = s.grant.UserImage.Repository() + "@" + image.Digest
	c.PullPolicy = "missing"
	if slices.Equal(s.grant.UserPull, policy.PullPolicies{config.PullPolicyNever}) {
		c.PullPolicy = "never"
	}
	return c, nil
}

// launchAuthFile writes the credentials for the image to memory, for as long as the job
// lasts: run gives them to each of its steps.
func (s *preparation) launchAuthFile() (string, error) {
	dir := filepath.Join(s.authDir(), "launch")
	if err := trust.MakeDir(dir, trust.Self()); err != nil {
		return "", fmt.Errorf("writing the auth file: %w", err)
	}
	set, _, err := s.credentials()
	if err != nil {
		return "", err
	}
	name, _, err := set.Write(dir, s.grant.UserImage.Repository())
	return name, err
}

// removeLaunched removes what launched jobs of dead runners left behind, and an earlier
// attempt at this job.
func (s *preparation) removeLaunched(ctx context.Context, now time.Time) error {
	if !s.launches() {
		return nil
	}
	launcher, err := podman.FindProgram(s.policy.General.Podman.Launcher[0])
	if err != nil {
		return err
	}
	over, err := leftovers.OrphanDirectories(launchParent(s.policy.General.DataDir), "*", now)
	dirs := []string{s.launchDir()}
	for _, o := range over {
		dirs = append(dirs, o.Name)
	}
	for _, dir := range dirs {
		err = errors.Join(err, launch.Remove(ctx, dir, slurm.Beside(launcher, s.podman.Env), s.podman))
	}
	return err
}
