package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"podman-executor/internal/handover"
	"podman-executor/internal/job"
	"podman-executor/internal/plan"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// lifetime bounds how long a container runs. The job ends before that, so it only matters if
// runner and driver have died.
func lifetime(j *job.Job) time.Duration { return j.Timeout + time.Minute }

// stepContainer returns what the containers of steps have in common. options are the
// administrator's for this one.
func stepContainer(f Facts, p plan.Plan, where step.Where, image podman.Image, entry policy.EntryPoint, options []string) podman.Create {
	data, role := f.Data(), "user"
	if where == step.Runner {
		role = "runner"
	}
	c := podman.Create{
		Name: f.Job.Name(role), Labels: Labels(f, role), Hostname: cmp.Or(f.Grant.Hostname, f.Job.Hostname()),
		Timeout:    lifetime(f.Job),
		Tmpfs:      []string{step.Tmpfs},
		Volumes:    []string{data.Builds.String(), data.Cache.String()},
		Entrypoint: "sh",
		// The command itself changes to the image's WORKDIR, see workdir.
		Workdir: "/",
		Image:   image.ID,
		Options: options,
	}
	before, open := step.EntryPoint(entry), openDirectories(f)
	if dir, ok := p.StepsDirs[c.Name]; ok {
		c.Mode, c.Volumes = podman.Detached, append(c.Volumes, dir+":"+handover.Pipes+":ro,z")
		c.Command = handover.Command(where, before, p.Sources, open...)
	} else {
		c.Command = step.Command(where, before, p.Sources, open...)
	}
	c.Command = step.In(workdir(options, image), c.Command)
	return c
}

// workdir returns the image's WORKDIR; empty if the administrator's options set another one.
// The command enters it, so that podman does not create it.
func workdir(options []string, image podman.Image) string {
	if slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "--workdir") || strings.HasPrefix(o, "-w") }) {
		return ""
	}
	return image.Config.WorkingDir
}

// openDirectories returns the directories that every user of the job's images may write to.
func openDirectories(f Facts) []string {
	data := f.Data()
	return append([]string{data.Builds.At, data.Cache.At}, f.Grant.Container.Volumes.OwnByProject()...)
}

// Runner returns the runner container. hostRunner is the mount of the host's gitlab-runner;
// empty if it uses its image's own.
func Runner(f Facts, p plan.Plan, image podman.Image, hostRunner string) podman.Create {
	c := stepContainer(f, p, step.Runner, image, f.Grant.RunnerEntry, f.Policy.General.Podman.RunnerOptions)
	c.Network = f.Grant.Network.Runner
	if hostRunner != "" {
		c.Volumes = append(c.Volumes, hostRunner)
	}
	return reachServer(f, confine(c, f.Job, f.Grant.RunnerContainer))
}

// reachServer lets a container reach a GitLab on this machine by its names, unless the policy has
// another address for a name, the container has the host's network, or podman writes no
// /etc/hosts.
func reachServer(f Facts, c podman.Create) podman.Create {
	mode, _, _ := strings.Cut(c.Network, ":")
	if f.Gateway == "" || f.Defaults.NoHosts || slices.Contains([]string{"host", "none", "container", "ns"}, mode) ||
		slices.ContainsFunc(c.Options, changesHosts) {
		return c
	}
	for _, name := range f.SameHost {
		if !slices.ContainsFunc(c.Names.Hosts, func(line string) bool { return strings.HasPrefix(line, name+":") }) {
			c.Names.Hosts = append(slices.Clone(c.Names.Hosts), name+":"+f.Gateway)
		}
	}
	return c
}

// changesHosts reports whether an option of podman's decides by itself what names lead to.
func changesHosts(option string) bool {
	name, _, _ := strings.Cut(option, "=")
	return slices.Contains([]string{"--network", "--net", "--add-host", "--no-hosts", "--pod"}, name)
}

// confine returns a container with the limits and rights granted to it.
func confine(c podman.Create, j *job.Job, granted policy.Container) podman.Create {
	for _, v := range granted.Volumes {
		if v.Source == "" {
			v.Source = j.VolumeName(job.VolumeRole(v.Destination))
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
	return c
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
