package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/plan"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// limitRequest is what the job's variables ask for. They are the author's to
// choose, so they are taken, expanded, from the environment.
func (s *preparation) limitRequest() policy.LimitRequest {
	return policy.LimitRequest{
		CPUs:       s.expanded("PODMAN_CPUS"),
		Memory:     s.expanded("PODMAN_MEMORY"),
		MemorySwap: s.expanded("PODMAN_MEMORY_SWAP"),
		PIDsLimit:  s.expanded("PODMAN_PIDS_LIMIT"),
		ShmSize:    s.expanded("PODMAN_SHM_SIZE"),
	}
}

// confine gives a container what was granted to it.
func (s *preparation) confine(c *podman.Create, granted policy.Container) {
	for _, v := range granted.Volumes {
		if v.Source == "" {
			v.Source = s.job.VolumeName(job.VolumeRole(v.Destination))
		}
		c.Volumes = append(c.Volumes, v.String())
	}

	c.Limits = podman.Limits{
		CPUs:       unlessZero(granted.CPUs),
		CPUSetCPUs: granted.CPUSetCPUs, CPUSetMems: granted.CPUSetMems, CPUShares: whole(granted.CPUShares),
		Memory: unlessZero(granted.Memory), MemorySwap: unlessZero(granted.MemorySwap), MemoryReservation: unlessZero(granted.MemoryReservation),
		PIDs: whole(granted.PIDsLimit), ShmSize: unlessZero(granted.ShmSize),
		OOMScore: whole(granted.OOMScoreAdjust), CgroupParent: granted.CgroupParent,
	}
	for _, u := range granted.Ulimit {
		c.Limits.Ulimits = append(c.Limits.Ulimits, fmt.Sprintf("%s=%d:%d", u.Name, u.Soft, u.Hard))
	}
	c.Names = podman.Names{DNS: granted.DNS, Search: granted.DNSSearch, Hosts: granted.ExtraHosts}
	c.Isolation = podman.Isolation{
		Runtime: granted.Runtime, Init: granted.Init, Privileged: granted.Privileged,
		Devices: slices.Concat(granted.Devices, granted.GPUs),
		CapAdd:  granted.CapAdd, CapDrop: granted.CapDrop, SecurityOpt: granted.SecurityOpt,
		UserNS: granted.UsernsMode, Groups: granted.GroupAdd,
	}
	for _, t := range granted.Tmpfs {
		c.Tmpfs = append(c.Tmpfs, strings.TrimSuffix(t.Path+":"+t.Options, ":"))
	}
	for _, ctl := range granted.Sysctls {
		c.Isolation.Sysctls = append(c.Isolation.Sysctls, ctl.Name+"="+ctl.Value)
	}
}

// unlessZero prints a size or a number of CPUs that the policy has.
func unlessZero[N policy.Size | policy.CPUs](n N) string {
	if n == 0 {
		return ""
	}
	return any(n).(fmt.Stringer).String()
}

func whole(n policy.Integer) string {
	if !n.Set {
		return ""
	}
	return strconv.Itoa(n.Value)
}

// checkLimits asks podman, where a limit is in force, whether this machine
// enforces it: podman takes it, and does nothing, without the cgroup controller.
func (s *preparation) checkLimits(ctx context.Context) error {
	controlled := s.grant.Controlled()
	if len(controlled) == 0 {
		return nil
	}
	info, err := s.askInfo(ctx)
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
	reason := fmt.Sprintf("podman has no cgroup controller for %s (cgroup %s)", strings.Join(controllers, ", "), info.CgroupVersion)
	if !s.policy.General.Podman.RequireLimits {
		s.call.Warn("this machine does not enforce the limits of %s: %s", strings.Join(limits, ", "), reason)
		return nil
	}
	const key = "general.podman.require_limits"
	return &driver.Fault{
		Err: fmt.Errorf("this machine does not enforce the limits of %s: %s", strings.Join(limits, ", "), reason),
		Hint: fmt.Sprintf("on a machine with cgroup v2 delegate them to gitlab-runner's user: Delegate=cpu cpuset io memory pids under [Service] in /etc/systemd/system/user@.service.d/delegate.conf; or take %s out of %s:%d",
			"require_limits", s.policy.File(), s.policy.Line(key)),
	}
}

// memory is what run says of containers that ran out of it.
func (s *preparation) memory() map[string]plan.Memory {
	limits := map[string]plan.Memory{}
	if m := s.grant.Container.Memory; m > 0 {
		limits[s.userName] = plan.Memory{Limit: m.String(), More: s.policy.MoreMemory(m)}
	}
	if m := s.grant.RunnerContainer.Memory; m > 0 && s.runnerName != "" {
		limits[s.runnerName] = plan.Memory{Limit: m.String(), More: s.policy.MoreMemory(policy.Unlimited)}
	}
	return limits
}

// create makes a container. keys are those of the policy that shape it, in
// [general.podman]: the likeliest things for podman to refuse.
func (s *preparation) create(ctx context.Context, c podman.Create, keys ...string) error {
	err := s.unlessTaken(ctx, c.Name, func() error {
		_, err := s.podman.Create(ctx, c)
		return err
	})
	if err == nil {
		return nil
	}
	return &driver.Fault{Err: fmt.Errorf("creating the container %s: %w", c.Name, err), Hint: s.checkKeys(keys...)}
}

// checkKeys tells the administrator to look at keys of the policy, those that it
// has, else at the machine.
func (s *preparation) checkKeys(keys ...string) string {
	var places []string
	for _, k := range keys {
		key := "general.podman." + k
		if line := s.policy.Line(key); line > 0 {
			places = append(places, fmt.Sprintf("%s:%d: %s", s.policy.File(), line, key))
		}
	}
	if len(places) == 0 {
		return "run `" + s.podman.Program + " info` as the user that gitlab-runner runs as, and check its disk space"
	}
	return "check " + strings.Join(places, ", ")
}
