package main

import (
	"fmt"
	"path/filepath"

	"podman-executor/internal/driver"
	"podman-executor/internal/launch"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/plan"
	"podman-executor/internal/spec"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
)

// makeLaunch makes what a launched step needs, and puts it into the plan. Each step's container
// is created only when the step runs, where it runs.
func makeLaunch(in inputs, f spec.Facts, p plan.Plan, image podman.Image) error {
	program, err := podman.FindProgram(in.policy.General.Podman.Launcher[0])
	if err == nil {
		err = trust.Path(program, trust.Self())
	}
	if err != nil {
		return launcherFault(in.policy, err)
	}
	warnOfUser(in, f, image)
	l, err := spec.Launcher(f, p, program, image)
	if err != nil {
		return launcherFault(in.policy, err)
	}
	if l.AuthFile, err = launchAuthFile(in, p, f.Grant.UserImage.Repository()); err != nil {
		return err
	}
	err = launch.Make(in.policy.General.DataDir, l.Dir)
	if err == nil {
		err = leftovers.Mark(l.Dir, in.runner, in.attempt)
	}
	if err != nil {
		return &driver.Fault{Err: err, Hint: writableHint(in.policy, "data_dir")}
	}
	p.Launch, p.HostOpen, p.UnusedEntryPoint = &l, spec.HostOpen(f, l.Container, image), spec.UnusedEntryPoint(f, image)
	return plan.Write(in.attempt, p)
}

// launchAuthFile writes the credentials for the repository to a file in memory that lasts as
// long as the job: run passes them to each step.
func launchAuthFile(in inputs, p plan.Plan, repository string) (string, error) {
	dir := filepath.Join(p.AuthDir, "launch")
	if err := trust.MakeDir(dir, trust.Self()); err != nil {
		return "", fmt.Errorf("writing the auth file: %w", err)
	}
	set, _, err := credentialsOf(in)
	if err != nil {
		return "", err
	}
	name, _, err := set.Write(dir, repository)
	return name, err
}
