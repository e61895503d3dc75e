package spec

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/containers/common/pkg/config"

	"podman-executor/internal/launch"
	"podman-executor/internal/plan"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// slurmVariables are the variables of Slurm that a container gets, if podman's environment has
// them.
var slurmVariables = []string{"SLURM_JOB_ID", "SLURM_JOB_NODELIST", "SLURMD_NODENAME", "SLURM_CPUS_ON_NODE", "SLURM_CPUS_PER_TASK", "SLURM_MEM_PER_NODE"}

// Launcher returns the policy's launcher, whose file is program, with the job's own words and
// the container of each of its steps. If the image has no digest, the error is a
// *[NoDigestError].
func Launcher(f Facts, p plan.Plan, program string, image podman.Image) (plan.Launch, error) {
	pm := f.Policy.General.Podman
	l := plan.Launch{
		Program: program, Batch: pm.LauncherMode == policy.LauncherBatch, Dir: f.LaunchDir(),
		Variable: pm.SchedulerVariable, Options: f.Grant.LauncherOptions,
	}
	switch filepath.Base(program) {
	case "srun", "sbatch":
		l.Slurm = true
	}
	words := placeholders(f.Job)
	for _, w := range pm.Launcher[1:] {
		l.Words = append(l.Words, words.Replace(w))
	}
	l.Words = append(l.Words, f.Grant.LauncherOptions...)
	container, err := launched(f, p, image)
	if err != nil {
		return l, err
	}
	container.Volumes = append(container.Volumes, launch.ReportMount(l.Dir))
	l.Container = container
	return l, nil
}

// NoDigestError is the error of an image that another machine could not name.
type NoDigestError struct{ Image policy.Image }

// Error returns what the image lacks.
func (e *NoDigestError) Error() string {
	return fmt.Sprintf("the image %s has no digest, so another machine cannot pull exactly this image", e.Image)
}

// launched returns the container of one of the author's steps, as `podman run` creates it where
// it is launched. Its image is named by its digest, so that every machine has the same; this
// machine has asked the registry whether the job may have it.
func launched(f Facts, p plan.Plan, image podman.Image) (podman.Create, error) {
	c := author(f, p, image)
	c.Mode, c.Network = podman.Attached, f.Grant.Network.Mode
	entry := step.EntryPoint(userEntry(f.Grant, image))
	c.Command = step.In(workdir(c.Options, image), launch.Command(entry, Grace))
	c.EnvNames = slices.Clone(slurmVariables)
	if image.Digest == "" {
		return c, &NoDigestError{Image: f.Grant.UserImage}
	}
	c.Image = f.Grant.UserImage.Repository() + "@" + image.Digest
	c.PullPolicy = "missing"
	if slices.Equal(f.Grant.UserPull, policy.PullPolicies{config.PullPolicyNever}) {
		c.PullPolicy = "never"
	}
	return c, nil
}
