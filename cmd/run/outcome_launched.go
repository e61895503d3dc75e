package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"podman-executor/internal/driver"
	"podman-executor/internal/fault"
	"podman-executor/internal/launch"
	"podman-executor/internal/plan"
	"podman-executor/internal/site"
	"podman-executor/internal/slurm"
)

// launchedOutcome returns the result of a launched step. place is where the policy names its image,
// empty if the job does. job is what Slurm reports about its
// job; nil without Slurm, or if Slurm does not know the job.
func launchedOutcome(l plan.Launch, place string, o launch.Outcome, job *slurm.Job) error {
	launcher := filepath.Base(l.Program)
	switch {
	case passed(o):
		return nil
	case job != nil && job.EndedBySlurm() != "":
		return endedBySlurm(l, *job)
	case o.Reported && o.Status != 0:
		return &driver.ScriptError{Code: o.Status}
	case o.Reported:
		return &driver.Fault{
			Err:  fmt.Errorf("the script succeeded, then the launcher %s exited with code %d", launcher, o.Launcher),
			Hint: "see the launcher's output above",
		}
	case o.Started:
		return &driver.Fault{
			Err:  fmt.Errorf("the container was killed while the script ran; the launcher %s exited with code %d", launcher, o.Launcher),
			Hint: "it was stopped from outside, for example by a shutdown of its machine",
		}
	}
	if f, known := fault.Starting(o.Stderr); known {
		return site.Blame(f, errors.New("the container could not be started on the machine that the launcher chose"), place)
	}
	return &driver.Fault{
		Err:  fmt.Errorf("the launcher %s exited with code %d before the script began", launcher, o.Launcher),
		Hint: "see the output of the launcher or podman above; the launcher is set by general.podman.launcher in the policy",
	}
}

// passed reports whether script and launcher have both ended with 0.
func passed(o launch.Outcome) bool { return o.Reported && o.Status == 0 && o.Launcher == 0 }

// endedBySlurm handles a job that Slurm has ended. If it ran out of time or memory, and its
// author has chosen that limit, the author can fix it.
func endedBySlurm(l plan.Launch, job slurm.Job) error {
	err := fmt.Errorf("job %d was ended by Slurm: %s (%s)", job.ID, job.EndedBySlurm(), job.State)
	if job.Reason != "" && job.Reason != "None" {
		err = fmt.Errorf("%w: %s", err, job.Reason)
	}
	options := map[string][]string{"TIMEOUT": {"--time", "-t"}, "OUT_OF_MEMORY": {"--mem"}}[job.State]
	for _, option := range options {
		if slices.ContainsFunc(l.Options, func(o string) bool { return strings.HasPrefix(o, option) }) {
			return &driver.Refusal{Err: err, Hint: fmt.Sprintf("ask for more with %s in the variable %s", options[0], l.Variable)}
		}
	}
	if len(options) > 0 {
		return &driver.Fault{Err: err, Hint: fmt.Sprintf("jobs of this runner get what general.podman.launcher in the policy sets (%s), or the partition's default", options[0])}
	}
	return &driver.Fault{Err: err, Hint: fmt.Sprintf("`scontrol show job %d` and `sacct -j %d` may say more", job.ID, job.ID)}
}
