// Command prepare is the driver's prepare_exec: it decides what a job may do, pulls the images
// and creates the job's containers.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/pin"
	"podman-executor/internal/plan"
	"podman-executor/internal/request"
	"podman-executor/internal/site"
	"podman-executor/internal/spec"
	"podman-executor/internal/step"
	"podman-executor/internal/teardown"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// undoTimeout bounds the removal of what a failed or interrupted prepare made.
const undoTimeout = 30 * time.Second

var program = driver.Program{
	Name: "podman-executor-prepare",
	About: "podman-executor-prepare pulls a job's images and creates its containers.\n" +
		"It is called by gitlab-runner: set it as prepare_exec in [runners.custom] of config.toml.",
	Help:    help,
	Stage:   prepare,
	Explain: site.Explain,
	Reexec:  driver.Reexec{Verbs: []string{pin.Verb, pin.UndoVerb}, Main: pin.Main},
}

func main() { os.Exit(driver.Main(program)) }

// prepare decides first, so a refused job costs no podman command.
func prepare(ctx context.Context, call *driver.Call) error {
	started := time.Now()
	in, err := readInputs(call)
	if err != nil {
		return err
	}
	defer in.log.Close()
	grant, err := decide(in)
	if err != nil {
		in.log.WithError(err).Warn("the job is refused")
		return err
	}
	local, err := site.Podman(in.call, in.policy, in.log.Podman)
	if err != nil {
		return err
	}
	if err := checkHost(in, local); err != nil {
		in.log.WithError(err).Error("the machine cannot run jobs")
		return err
	}
	connected, host, disconnect, err := reach(ctx, in, local)
	if err != nil {
		in.log.WithError(err).Error("cannot connect to podman")
		return err
	}
	defer disconnect()
	pm, f := &connected, factsOf(in, grant, connected, host)
	p := spec.Plan(f)
	if err := removeLeftovers(ctx, in, pm, f, p); err != nil {
		return err
	}
	err = makeOrUndo(ctx, in, pm, f, p)
	if err != nil && ctx.Err() == nil && repair(ctx, in, pm, f, err) {
		err = makeOrUndo(ctx, in, pm, f, p)
	}
	if err != nil {
		in.log.WithError(err).Error("preparing failed")
		return err
	}
	in.log.WithField("image", grant.UserImage.String()).WithField("seconds", time.Since(started).Seconds()).Info("prepared")
	return nil
}

// decide asks the policy.
func decide(in inputs) (policy.Grant, error) {
	data := in.data()
	asked, notices, err := request.Of(request.Facts{
		Job: in.job, Policy: in.policy, Environ: in.call.Environ,
		Reserved: []string{in.job.BuildsDir, data.Cache.At, step.Dir}, Private: in.privatePlaces,
	})
	if err != nil {
		return policy.Grant{}, requestError(err)
	}
	for _, n := range notices {
		in.call.Warn("%s", n)
	}
	grant, err := in.policy.Decide(asked)
	var denial *policy.Denial
	if errors.As(err, &denial) {
		return policy.Grant{}, &driver.Refusal{Err: denial}
	}
	return grant, err
}

// makeOrUndo makes the job; if that fails, it undoes what it made.
func makeOrUndo(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan) error {
	if err := plan.Write(in.attempt, p); err != nil {
		return err
	}
	if err := makeRuntimeDir(in, p); err != nil {
		return err
	}
	err := makeJob(ctx, in, pm, f, p)
	if err != nil {
		undo(ctx, in, pm, f, p)
	}
	return err
}

// makeJob creates what was decided: volumes, containers, and what launches them elsewhere.
func makeJob(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan) error {
	version, err := checkPodman(ctx, in, pm, f)
	if err != nil {
		return err
	}
	f = withSameHost(ctx, in, f, version.Version)
	runner, err := hostRunner(in, pm, p)
	if err != nil {
		return err
	}
	have, err := obtain(ctx, in, pm, f, p, version.Native())
	defer have.held.Release()
	if err != nil {
		return err
	}
	if f.Launches() {
		return makeLaunch(in, f, p, have.user)
	}
	hosts, err := startServices(ctx, in, pm, f, p, version.Version, have.services)
	if err != nil {
		return err
	}
	if err := createContainers(ctx, in, pm, f, p, have, hosts, runner); err != nil {
		return err
	}
	if err := warnWithoutRunner(ctx, in, pm, p, f.Grant, runner); err != nil {
		return err
	}
	return waitForServices(ctx, in, pm, f, p, have.services)
}

// undo removes what a failed or interrupted prepare has made. The runner also calls cleanup,
// but only prepare knows that nothing is to be kept.
func undo(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if dir := f.LaunchDir(); dir != "" {
		p.Launch = &plan.Launch{Dir: dir}
	}
	if err := teardown.Undo(ctx, pm, p); err != nil {
		in.log.WithError(err).Warn("removing the containers of a failed prepare")
	}
}
