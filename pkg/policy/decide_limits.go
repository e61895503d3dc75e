package policy

import (
	"fmt"
	"slices"
	"strconv"
)

// forRunner returns what also holds for the runner container: what limits it and connects
// it, nothing that gives privileges.
func (c Container) forRunner() Container {
	return Container{
		CPUs: c.CPUs, CPUSetCPUs: c.CPUSetCPUs, CPUSetMems: c.CPUSetMems, CPUShares: c.CPUShares,
		Memory: c.Memory, MemorySwap: c.MemorySwap, MemoryReservation: c.MemoryReservation,
		PIDsLimit: c.PIDsLimit, ShmSize: c.ShmSize, OOMScoreAdjust: c.OOMScoreAdjust,
		CgroupParent: c.CgroupParent, Ulimit: c.Ulimit, Runtime: c.Runtime,
		DNS: c.DNS, DNSSearch: c.DNSSearch, ExtraHosts: c.ExtraHosts,
		Volumes: c.Volumes,
	}.clone()
}

// forImage returns the container of an image. It is privileged only where that is allowed for it.
func (c Container) forImage(image Image) Container {
	if _, ok := match(c.AllowedPrivilegedImages, image.String()); len(c.AllowedPrivilegedImages) > 0 && !ok {
		c.Privileged = false
	}
	return c.clone()
}

// clone returns a copy that shares no list with c.
func (c Container) clone() Container {
	c.Ulimit, c.Tmpfs, c.Sysctls = slices.Clone(c.Ulimit), slices.Clone(c.Tmpfs), slices.Clone(c.Sysctls)
	c.Volumes, c.Devices, c.GPUs = slices.Clone(c.Volumes), slices.Clone(c.Devices), slices.Clone(c.GPUs)
	c.CapAdd, c.CapDrop, c.SecurityOpt = slices.Clone(c.CapAdd), slices.Clone(c.CapDrop), slices.Clone(c.SecurityOpt)
	c.GroupAdd, c.DNS, c.DNSSearch = slices.Clone(c.GroupAdd), slices.Clone(c.DNS), slices.Clone(c.DNSSearch)
	c.ExtraHosts, c.AllowedPrivilegedImages = slices.Clone(c.ExtraHosts), slices.Clone(c.AllowedPrivilegedImages)
	return c
}

// LimitRequest has the values of the variables by which a job asks for limits of its
// container. Empty: it does not ask.
type LimitRequest struct {
	CPUs       string // PODMAN_CPUS
	Memory     string // PODMAN_MEMORY
	MemorySwap string // PODMAN_MEMORY_SWAP
	PIDsLimit  string // PODMAN_PIDS_LIMIT
	ShmSize    string // PODMAN_SHM_SIZE
}

// ask is one limit that a job may ask for.
type ask struct {
	variable, value string
	// key is the key of the maximum in [general.podman.container]. most is its value, or
	// 0 if the file does not have it.
	key   string
	most  int64
	parse func(string) (int64, error)
	show  func(int64) string
	grant func(int64)
}

// decideLimits grants what a job asks for up to the maxima. It grants the number that was
// read, never the job's text.
func (p *Policy) decideLimits(r Request, g *Grant) *Denial {
	t := p.General.Podman.Container
	c := t.forImage(g.UserImage)
	size := func(s string) (int64, error) { n, err := memorySize(s); return int64(n), err }
	showSize := func(n int64) string { return Size(n).String() }
	asks := []ask{
		{"PODMAN_CPUS", r.Limits.CPUs, "max_cpus", int64(t.MaxCPUs), requestedCPUs, func(n int64) string { return CPUs(n).String() }, func(n int64) { c.CPUs = CPUs(n) }},
		{"PODMAN_MEMORY", r.Limits.Memory, "max_memory", int64(t.MaxMemory), size, showSize, func(n int64) { c.Memory = Size(n) }},
		{"PODMAN_MEMORY_SWAP", r.Limits.MemorySwap, "max_memory_swap", int64(t.MaxMemorySwap), swapSize, showSize, func(n int64) { c.MemorySwap = Size(n) }},
		{"PODMAN_PIDS_LIMIT", r.Limits.PIDsLimit, "max_pids_limit", int64(t.MaxPIDsLimit.Value), parsePIDs, showNumber, func(n int64) { c.PIDsLimit = Integer{Value: int(n), Set: true} }},
		{"PODMAN_SHM_SIZE", r.Limits.ShmSize, "max_shm_size", int64(t.MaxShmSize), shmSize, showSize, func(n int64) { c.ShmSize = Size(n) }},
	}
	granted := map[string]bool{}
	for _, a := range asks {
		ok, d := p.decideLimit(a, g)
		if d != nil {
			return d
		}
		granted[a.key] = ok
	}
	g.Container = c
	if d := p.decideMemory(g, granted["max_memory"], granted["max_memory_swap"]); d != nil {
		return d
	}
	g.RunnerContainer = t.forRunner()
	g.Hostname = t.Hostname
	return nil
}

// decideLimit decides on one limit, and reports whether the job gets what it asks for.
func (p *Policy) decideLimit(a ask, g *Grant) (bool, *Denial) {
	const table = "general.podman.container."
	if a.value == "" {
		return false, nil
	}
	if a.most == 0 {
		g.Notices = append(g.Notices, fmt.Sprintf("%s is ignored: the policy of this runner has no %s, so jobs cannot request it", a.variable, a.key))
		return false, nil
	}
	n, err := a.parse(a.value)
	if err != nil {
		return false, p.denial(a.variable, table+a.key, err.Error(), "fix the variable; at most "+a.show(a.most)+" is allowed")
	}
	if a.most != Unlimited && (n == Unlimited || n > a.most) {
		return false, p.denial(fmt.Sprintf("%s %q", a.variable, a.show(n)), table+a.key, "at most "+a.show(a.most)+" is allowed",
			"request at most "+a.show(a.most)+" in .gitlab-ci.yml")
	}
	a.grant(n)
	return true, nil
}

// decideMemory adapts the three limits of memory to each other if a job has changed one:
// otherwise podman would refuse them. With more memory the amount of swap stays the same.
func (p *Policy) decideMemory(g *Grant, memory, swap bool) *Denial {
	const key = "general.podman.container.max_memory_swap"
	was, c := p.General.Podman.Container, &g.Container
	if memory && !swap && was.MemorySwap > 0 {
		c.MemorySwap = c.Memory + was.MemorySwap - was.Memory
		if most := was.MaxMemorySwap; most > 0 {
			c.MemorySwap = max(c.Memory, min(c.MemorySwap, most))
		}
	}
	if memory {
		c.MemoryReservation = min(c.MemoryReservation, c.Memory)
	}
	switch {
	case !swap || c.MemorySwap == Unlimited && c.Memory > 0:
	case c.Memory == 0:
		return p.denial("PODMAN_MEMORY_SWAP", key, "it requires a memory limit, and none is set", "also set PODMAN_MEMORY, or remove PODMAN_MEMORY_SWAP")
	case c.MemorySwap < c.Memory:
		return p.denial(fmt.Sprintf("PODMAN_MEMORY_SWAP %q", c.MemorySwap), key,
			fmt.Sprintf("it includes memory, which is %s", c.Memory), "request more, or remove it")
	}
	return nil
}

func requestedCPUs(s string) (int64, error) {
	n, err := ParseCPUs(s)
	if err == nil && n < minCPUs {
		err = fmt.Errorf("want at least %s CPUs, got %q", minCPUs, truncate(s, 40))
	}
	return int64(n), err
}

func memorySize(s string) (Size, error) {
	n, err := ParseSize(s)
	if err == nil && n < minMemory {
		err = fmt.Errorf("want at least %s, got %q", minMemory, truncate(s, 40))
	}
	return n, err
}

func swapSize(s string) (int64, error) {
	if s == "-1" {
		return Unlimited, nil
	}
	n, err := memorySize(s)
	return int64(n), err
}

// shmSize refuses 0, which means no limit to podman.
func shmSize(s string) (int64, error) {
	n, err := ParseSize(s)
	if err == nil && n == 0 {
		err = fmt.Errorf("want a size such as 512m or 2g, got %q", truncate(s, 40))
	}
	return int64(n), err
}

func showNumber(n int64) string { return strconv.FormatInt(n, 10) }

// Controlled is a limit that the kernel enforces only with a cgroup controller.
type Controlled struct{ Limit, Controller string }

// Controlled returns the limits of the job's containers that need a cgroup controller, each
// once.
func (g Grant) Controlled() []Controlled {
	containers := []Container{g.Container}
	for _, s := range g.Services {
		containers = append(containers, s.Container)
	}
	var list []Controlled
	for _, l := range []struct {
		Controlled
		inForce func(Container) bool
	}{
		{Controlled{"cpus", "cpu"}, func(c Container) bool { return c.CPUs > 0 }},
		{Controlled{"cpuset_cpus", "cpuset"}, func(c Container) bool { return c.CPUSetCPUs != "" }},
		{Controlled{"cpuset_mems", "cpuset"}, func(c Container) bool { return c.CPUSetMems != "" }},
		{Controlled{"cpu_shares", "cpu"}, func(c Container) bool { return c.CPUShares.Value > 0 }},
		{Controlled{"memory", "memory"}, func(c Container) bool { return c.Memory > 0 }},
		{Controlled{"memory_reservation", "memory"}, func(c Container) bool { return c.MemoryReservation > 0 }},
		{Controlled{"pids_limit", "pids"}, func(c Container) bool { return c.PIDsLimit.Value > 0 }},
	} {
		if slices.ContainsFunc(containers, l.inForce) {
			list = append(list, l.Controlled)
		}
	}
	return list
}

// MoreMemory returns a hint: how a job gets more memory than its container has. [Unlimited]
// stands for the runner container, whose memory a job cannot choose.
func (p *Policy) MoreMemory(than Size) string {
	most := p.General.Podman.Container.MaxMemory
	if than != Unlimited && most > than {
		return fmt.Sprintf("request more with the variable PODMAN_MEMORY in .gitlab-ci.yml: up to %s", most)
	}
	key := "general.podman.container.memory"
	if than != Unlimited && most > 0 {
		key = "general.podman.container.max_memory"
	}
	return fmt.Sprintf("use less memory, or ask the administrator of this runner for more (%s)", p.Where(key))
}
