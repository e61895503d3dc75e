// Package housekeeping removes what jobs leave on purpose, or by accident: builds, caches
// and images that no job has used for long, and what jobs that are over have left behind.
// The administrator, or a timer, calls it outside any job.
package housekeeping

import (
	"cmp"
	"context"
	"errors"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/site"
	"podman-executor/internal/spec"
	"podman-executor/internal/storage"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// keeper holds what one call works with. It is never modified.
type keeper struct {
	options Options
	call    *driver.Call
	policy  *policy.Policy
	log     *site.Log
	now     time.Time
	// local is the policy's podman, connected to no service.
	local podman.Podman
}

// target is a podman that jobs may get.
type target struct {
	podman *podman.Podman
	// endpoint is its address as in the policy; empty: podman on this machine.
	endpoint string
	// title is the heading of its table; empty if there is only one podman.
	title string
}

// Run removes what is asked for, and prints a table of it. It goes on if something cannot be
// removed.
func Run(ctx context.Context, call *driver.Call, o Options) error {
	if err := o.check(call); err != nil {
		return err
	}
	k, err := newKeeper(call, o)
	if err != nil {
		return err
	}
	defer k.log.Close()
	err = k.openRepositories()
	if o.removes() {
		err = errors.Join(err, k.cleanAll(ctx))
	}
	err = errors.Join(err, k.forgetReaders(ctx))
	if err == nil {
		return ctx.Err()
	}
	again := "everything else was done; run it again, and if it fails again, run `" + k.local.Program + " info` as gitlab-runner's user"
	return &driver.Fault{Err: err, Hint: cmp.Or(driver.Hint(err), again)}
}

// newKeeper finds the policy, podman and the log.
func newKeeper(call *driver.Call, o Options) (*keeper, error) {
	p, err := site.LoadPolicy(call)
	if err != nil {
		return nil, err
	}
	pm, err := site.Podman(call, p, nil)
	if err != nil {
		return nil, err
	}
	log, err := site.OpenLog(call, spec.LogOf(p), 0, 0)
	if err != nil {
		return nil, err
	}
	pm.Observe = log.Podman
	return &keeper{options: o, call: call, policy: p, log: log, now: time.Now(), local: pm}, nil
}

func (k *keeper) stateDir() string { return site.StateDir(k.call, k.policy) }

// locks returns the directory of the locks of pulls.
func (k *keeper) locks() string { return job.RuntimeDir(k.local.Getenv) + "-locks" }

// eachPodman calls a function with each podman that jobs may get. It goes on if one cannot be
// connected.
func (k *keeper) eachPodman(ctx context.Context, do func(context.Context, target) error) error {
	hosts := site.Hosts(k.policy)
	if len(hosts) == 0 {
		return do(ctx, target{podman: &k.local})
	}
	connect := site.Connect
	if len(hosts) > 1 {
		connect = site.ConnectAndPing
	}
	var problems []error
	for _, host := range hosts {
		connected, disconnect, err := connect(ctx, k.local, host)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		t := target{podman: &connected, endpoint: host.URL}
		if len(hosts) > 1 {
			t.title = host.URL
		}
		problems = append(problems, do(ctx, t))
		disconnect()
	}
	return errors.Join(problems...)
}

// cleanAll removes what is asked for from each podman that jobs may get.
func (k *keeper) cleanAll(ctx context.Context) error {
	return k.eachPodman(ctx, func(ctx context.Context, t target) error {
		rows, err := k.cleanOne(ctx, t)
		printTable(k.call.Stdout, t.title, rows)
		return err
	})
}

// cleanOne removes what is asked for from one podman, and returns what it has removed.
func (k *keeper) cleanOne(ctx context.Context, t target) ([]row, error) {
	var rows []row
	var problems []error
	for _, part := range []struct {
		wanted bool
		clean  func(context.Context, target) ([]row, error)
	}{
		{k.options.Orphans, k.removeOrphans},
		{k.options.Limits != (storage.Limits{}), k.freeStorage},
		{k.options.StorageBelow > 0, k.makeRoom},
	} {
		if part.wanted {
			removed, err := part.clean(ctx, t)
			rows, problems = append(rows, removed...), append(problems, err)
		}
	}
	return rows, errors.Join(problems...)
}
