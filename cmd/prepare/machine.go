package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"podman-executor/internal/containersconf"
	"podman-executor/internal/driver"
	"podman-executor/internal/memo"
	"podman-executor/internal/preflight"
	"podman-executor/internal/remote"
	"podman-executor/internal/site"
	"podman-executor/internal/spec"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// checkHost fails a job that this machine cannot run, before anything is done for it. It runs
// no command. Warnings go to the administrator's log: a job's author can do nothing about them.
func checkHost(in inputs, pm podman.Podman) error {
	general := in.policy.General
	if general.DataDir != "" && general.MinFreeSpace > 0 {
		if err := checkFree(in, general.DataDir); err != nil {
			return err
		}
	}
	if general.Podman.UsesEndpoint() {
		return nil
	}
	return report(in, preflight.Host(pm.Getenv, preflight.CurrentUser())...)
}

// report returns the first error among results as the fault that fails the job, and logs the
// warnings.
func report(in inputs, results ...preflight.Result) error {
	for _, r := range results {
		switch r.Level {
		case preflight.Error:
			return &driver.Fault{Err: errors.New(r.Detail), Hint: r.Hint}
		case preflight.Warning:
			in.log.WithField("hint", r.Hint).Warn(r.Check + ": " + r.Detail)
		}
	}
	return nil
}

func checkFree(in inputs, dir string) error {
	room, err := preflight.ReadRoom(dir)
	if err != nil {
		return &driver.Fault{Err: err, Hint: "make " + dir + " readable by gitlab-runner's user"}
	}
	r := preflight.Space(dir, room, int64(in.policy.General.MinFreeSpace))
	if r.Hint != "" {
		r.Hint += "; or lower " + in.policy.Where("general.min_free_space")
	}
	return report(in, r)
}

// reach returns a podman connected to the job's service. With service_urls that is the first
// one that answers, in an order that depends on the job's project and slot. The endpoint's URL
// is empty if podman runs on this machine without a service.
func reach(ctx context.Context, in inputs, pm podman.Podman) (podman.Podman, remote.Endpoint, func(), error) {
	hosts := site.Hosts(in.policy)
	if in.policy.General.Podman.ServiceURL != "" {
		connected, disconnect, err := site.Connect(ctx, pm, hosts[0])
		return connected, hosts[0], disconnect, err
	}
	var silent *remote.SilentError
	for _, h := range remote.Order(hosts, in.job.VolumeName("builds")) {
		connected, disconnect, err := site.ConnectAndPing(ctx, pm, h)
		if err == nil {
			in.call.Note("Using the podman service %s", h.URL)
			return connected, h, disconnect, nil
		}
		if !errors.As(err, &silent) {
			return pm, h, nil, err
		}
		in.call.Note("Skipping podman service %s: %v", silent.URL, silent.Err)
		in.log.WithError(err).Warn("skipping a podman service")
	}
	if len(hosts) == 0 {
		return pm, remote.Endpoint{}, func() {}, nil
	}
	return pm, remote.Endpoint{}, nil, &driver.Fault{
		Err:  errors.New("none of the podman services answers"),
		Hint: "the reasons are above; the services are listed by general.podman.service_urls in " + in.policy.File(),
	}
}

// podmanDefaults reads podman's defaults. podman itself fails on a containers.conf that cannot
// be read, and says why. In case another version of podman can read that file, the runtime
// counts as unknown.
func podmanDefaults(in inputs, pm podman.Podman, host remote.Endpoint) containersconf.Defaults {
	if host.URL != "" {
		return containersconf.Defaults{}
	}
	c, err := containersconf.Read(pm.Getenv)
	if err != nil {
		in.log.WithError(err).Warn("podman's containers.conf cannot be read")
		return containersconf.Unknown
	}
	return c.Defaults(pm.Getenv)
}

// checkPodman asks podman for its version, prints which podman the job gets, and fails a job
// that this podman cannot run.
func checkPodman(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts) (podman.Version, error) {
	version, forgetful, err := memo.Version(ctx, pm)
	if err != nil {
		return version, askFault(pm, err)
	}
	if forgetful != nil {
		in.log.WithError(forgetful).Warn("remembering podman's version")
	}
	in.call.Note("Using podman %s under the policy %s", version.Version, in.policy.File())
	for _, n := range f.Grant.Notices {
		in.call.Warn("%s", n)
	}
	if err := report(in, preflight.Program("podman", version.Version)); err != nil {
		return version, err
	}
	// podman is asked once, and only if one of the checks needs to know.
	info := sync.OnceValues(func() (podman.Info, error) {
		info, err := pm.Info(ctx)
		if err != nil {
			return info, askFault(pm, err)
		}
		return info, nil
	})
	if err := checkSpace(in, info); err != nil {
		return version, err
	}
	if f.Launches() {
		return version, nil
	}
	return version, checkLimits(in, f.Grant, info)
}

// checkSpace checks, if the policy requires it, whether podman's storage has room.
func checkSpace(in inputs, ask func() (podman.Info, error)) error {
	if in.policy.General.MinFreeSpace == 0 || in.policy.General.Podman.UsesEndpoint() {
		return nil
	}
	info, err := ask()
	if err != nil {
		return err
	}
	return checkFree(in, info.GraphRoot)
}

// checkLimits checks whether this machine enforces the limits in force: without the cgroup
// controller, podman accepts a limit and ignores it.
func checkLimits(in inputs, grant policy.Grant, ask func() (podman.Info, error)) error {
	controlled := grant.Controlled()
	if len(controlled) == 0 {
		return nil
	}
	info, err := ask()
	if err != nil {
		return err
	}
	var limits, controllers []string
	for _, l := range controlled {
		if slices.Contains(info.Controllers, l.Controller) {
			continue
		}
		limits = append(limits, l.Limit)
		if !slices.Contains(controllers, l.Controller) {
			controllers = append(controllers, l.Controller)
		}
	}
	if len(limits) == 0 {
		return nil
	}
	reason := fmt.Sprintf("this machine does not enforce the limits on %s: podman has no cgroup controller for %s (cgroup %s)",
		strings.Join(limits, ", "), strings.Join(controllers, ", "), info.CgroupVersion)
	if !in.policy.General.Podman.RequireLimits {
		in.call.Warn("%s", reason)
		return nil
	}
	return limitsFault(in.policy, reason)
}
