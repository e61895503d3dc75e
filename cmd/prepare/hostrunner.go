package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"podman-executor/internal/driver"
	"podman-executor/internal/handover"
	"podman-executor/internal/hostrunner"
	"podman-executor/internal/plan"
	"podman-executor/internal/process"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// hostRunner returns this host's gitlab-runner for the runner container; empty if it uses its
// image's own.
func hostRunner(in inputs, pm *podman.Podman, p plan.Plan) (string, error) {
	binary := in.policy.General.Podman.RunnerBinary
	switch {
	case p.RunnerContainer == "" || binary == policy.NoRunnerBinary:
		return "", nil
	case binary == "" && pm.URL != "": // another machine may have none
		return "", nil
	case binary == "":
		if runner := in.runnerProgram(); hostrunner.Mountable(runner) {
			return runner, nil
		}
		return "", nil
	}
	info, err := os.Stat(binary)
	if err == nil && !process.IsProgram(info) {
		err = errors.New("it is not an executable file")
	}
	if err != nil {
		return "", &driver.Fault{
			Err:  fmt.Errorf("looking for runner_binary: %w", err),
			Hint: "fix " + in.policy.Where("general.podman.runner_binary") + ", or remove it",
		}
	}
	return binary, nil
}

// runnerMount returns the mount of the host's gitlab-runner, if there is one.
func runnerMount(hostRunner string, image podman.Image) string {
	if hostRunner == "" {
		return ""
	}
	return hostrunner.Mount(hostRunner, image)
}

// warnWithoutRunner warns the job's author, before the job, if artifacts and caches will do
// nothing: the runner's scripts mention it only in passing, and the job passes.
func warnWithoutRunner(ctx context.Context, in inputs, pm *podman.Podman, p plan.Plan, grant policy.Grant, hostRunner string) error {
	if hostRunner != "" || !in.job.MovesFiles {
		return nil
	}
	has, where := false, "this host"
	if p.RunnerContainer == "" {
		has = process.OnPath(p.HostEnv, hostrunner.Program)
	} else {
		where = "the runner image " + grant.RunnerImage.String()
		var err error
		if has, err = imageHasRunner(ctx, in, pm, p); err != nil {
			return err
		}
	}
	if !has {
		in.call.Warn("%s has no gitlab-runner: artifacts, caches and dependencies of this job will not work; the administrator can install it there, or set general.podman.runner_binary in %s", where, in.policy.File())
	}
	return nil
}

// imageHasRunner reports whether the runner container has a gitlab-runner. It asks the
// container, so it looks where a step of the runner's would.
func imageHasRunner(ctx context.Context, in inputs, pm *podman.Podman, p plan.Plan) (bool, error) {
	const missing = 3
	script := fmt.Sprintf("#!/usr/bin/env bash\n%s --version >/dev/null 2>&1 || exit %d\n", hostrunner.Program, missing)
	var said strings.Builder
	err := runInRunner(ctx, pm, p, podman.Streams{Stdin: step.Input([]byte(script), step.CleanNothing), Stdout: io.Discard, Stderr: &said})
	var started *podman.ExitError
	var handed *handover.StepError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &started) && started.Code == missing, errors.As(err, &handed) && handed.Code == missing:
		return false, nil
	}
	return false, &driver.Fault{
		Err:  fmt.Errorf("starting the runner container: %w: %s", err, oneLine(said.String())),
		Hint: fmt.Sprintf("check runner_image, runner_options and runner_entry_point in %s: the image must contain bash", in.policy.File()),
	}
}

// oneLine returns podman's message as one line.
func oneLine(said string) string {
	return strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(said), "Error: "), "\n", "; ")
}

// runInRunner runs a script in the runner container.
func runInRunner(ctx context.Context, pm *podman.Podman, p plan.Plan, streams podman.Streams) error {
	if dir, ok := p.StepsDirs[p.RunnerContainer]; ok {
		return handover.Container{Podman: pm, Name: p.RunnerContainer, Dir: dir, Grace: p.Grace}.Run(ctx, streams)
	}
	return pm.Start(ctx, p.RunnerContainer, streams, p.Grace)
}
