package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gitlab.com/gitlab-org/gitlab-runner/executors/custom/api"

	"podman-executor/internal/driver"
	"podman-executor/internal/hostrunner"
	"podman-executor/internal/job"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/plan"
	"podman-executor/internal/remote"
	"podman-executor/internal/request"
	"podman-executor/internal/secret"
	"podman-executor/internal/site"
	"podman-executor/internal/source"
	"podman-executor/internal/spec"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// inputs are what the administrator and the runner set. They are never modified.
type inputs struct {
	call   *driver.Call
	policy *policy.Policy
	job    *job.Job
	runner job.Process
	// runnerProgram returns the file of the calling runner; empty if it is not known, or cannot
	// be trusted.
	runnerProgram func() string
	attempt       string
	stateDir      string
	log           *site.Log
}

// readInputs reads them.
func readInputs(call *driver.Call) (inputs, error) {
	p, err := site.LoadPolicy(call)
	if err != nil {
		return inputs{}, err
	}
	j, err := job.Read(call.Getenv(api.JobResponseFileVariable))
	if err != nil {
		return inputs{}, err
	}
	in := inputs{call: call, policy: p, attempt: call.Getenv("TMPDIR"), stateDir: site.StateDir(call, p)}
	builds, _ := j.Directories(p.General.DataDir)
	if in.job, err = j.Locate(in.variable("RUNNER_TEMP_PROJECT_DIR"), builds, p.General.Podman.ShortProjectDir, in.variable); err != nil {
		return inputs{}, &driver.Fault{Err: err, Hint: "set config_exec in [runners.custom] to podman-executor-config, with the same policy"}
	}
	if in.runner, err = job.CurrentRunner(); err != nil {
		return inputs{}, fmt.Errorf("finding the runner's process: %w", err)
	}
	if in.log, err = site.OpenLog(call, spec.LogOf(p), j.ID, j.ProjectID); err != nil {
		return inputs{}, err
	}
	in.runnerProgram = sync.OnceValue(func() string { return runningProgram(in.runner, in.log) })
	return in, nil
}

// runningProgram returns the file of the calling runner.
func runningProgram(runner job.Process, log *site.Log) string {
	file, err := hostrunner.Running(runner.PID)
	if err != nil {
		log.WithError(err).WithField("hint", trust.Hint(err)).Warn("jobs do not get this host's gitlab-runner: it cannot be trusted")
	}
	return file
}

// variable returns a variable of the job as the runner has expanded it.
func (in inputs) variable(name string) string { return in.call.Getenv(request.Prefix + name) }

// data returns where the job's builds and cache are.
func (in inputs) data() job.Data {
	return in.job.Data(in.policy.General.DataDir, in.policy.General.Podman.StepScriptOnly)
}

// privatePlaces returns the places that no volume of a job may show.
func (in inputs) privatePlaces() []source.Place {
	return request.Machine{
		Policy: in.policy, StateDir: in.stateDir, Attempt: in.attempt,
		Runner: in.runner, RunnerProgram: in.runnerProgram(), Getenv: in.call.Getenv,
	}.PrivatePlaces()
}

// factsOf collects everything that the plan and the containers depend on.
func factsOf(in inputs, grant policy.Grant, pm podman.Podman, host remote.Endpoint) spec.Facts {
	f := spec.Facts{
		Defaults: podmanDefaults(in, pm, host),
		Job:      in.job, Policy: in.policy, Grant: grant, Runner: in.runner, Attempt: in.attempt,
		Dirs: leftovers.Roots{
			TempDir: filepath.Dir(in.attempt), RuntimeDir: job.RuntimeDir(pm.Getenv), SecretsDir: secret.Parent(in.stateDir),
			PullDir: pm.Getenv("TMPDIR"),
		},
		Podman: plan.Podman{
			Program: pm.Program, URL: host.URL, Identity: host.Identity, KnownHosts: host.KnownHosts,
			Env: pm.Env, Timeouts: pm.Timeouts,
		},
		Variable: in.variable, UID: os.Getuid(), Now: time.Now(),
	}
	if pm := in.policy.General.Podman; pm.StepScriptOnly {
		if f.RunnerProgram = pm.RunnerBinary; f.RunnerProgram == "" {
			f.RunnerProgram = in.runnerProgram()
		}
	}
	return f
}
