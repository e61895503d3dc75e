package podman

// Limits are what a container may use. Each field is as the option takes it;
// empty: podman's own default.
type Limits struct {
	CPUs, CPUSetCPUs, CPUSetMems, CPUShares string
	Memory, MemorySwap, MemoryReservation   string
	PIDs, ShmSize, OOMScore, CgroupParent   string
	// Ulimits are NAME=SOFT:HARD.
	Ulimits []string
}

func (l Limits) args() []string {
	var o options
	o.add("--cpus", l.CPUs)
	o.add("--cpuset-cpus", l.CPUSetCPUs)
	o.add("--cpuset-mems", l.CPUSetMems)
	o.add("--cpu-shares", l.CPUShares)
	o.add("--memory", l.Memory)
	o.add("--memory-swap", l.MemorySwap)
	o.add("--memory-reservation", l.MemoryReservation)
	o.add("--pids-limit", l.PIDs)
	o.add("--shm-size", l.ShmSize)
	o.add("--oom-score-adj", l.OOMScore)
	o.add("--cgroup-parent", l.CgroupParent)
	o.add("--ulimit", l.Ulimits...)
	return o
}

// Names are how a container looks up host names.
type Names struct {
	// DNS are addresses, Search domains, Hosts are HOST:ADDRESS.
	DNS, Search, Hosts []string
}

func (n Names) args() []string {
	var o options
	o.add("--dns", n.DNS...)
	o.add("--dns-search", n.Search...)
	o.add("--add-host", n.Hosts...)
	return o
}

// Isolation is what a container may do to the machine, and sees of it.
type Isolation struct {
	// Runtime is an OCI runtime, by its name or path; empty: podman's own.
	Runtime    string
	Init       bool
	Privileged bool
	// Devices are paths, HOST[:CONTAINER[:PERMISSIONS]], and names of CDI devices.
	Devices         []string
	CapAdd, CapDrop []string
	SecurityOpt     []string
	// UserNS is what --userns takes, such as "keep-id" or "auto"; empty: podman's own default.
	UserNS string
	Groups []string
	// Sysctls are NAME=VALUE.
	Sysctls []string
}

func (i Isolation) args() []string {
	var o options
	o.add("--runtime", i.Runtime)
	o.addSwitch("--init", i.Init)
	o.addSwitch("--privileged", i.Privileged)
	o.add("--device", i.Devices...)
	o.add("--cap-add", i.CapAdd...)
	o.add("--cap-drop", i.CapDrop...)
	o.add("--security-opt", i.SecurityOpt...)
	o.add("--userns", i.UserNS)
	o.add("--group-add", i.Groups...)
	o.add("--sysctl", i.Sysctls...)
	return o
}
