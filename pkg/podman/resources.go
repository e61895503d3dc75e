package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

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
	// UserNS is "keep-id", "auto" and kin; empty: podman's own default.
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

// options is a part of a command line.
type options []string

// add adds the option for each value that is not empty.
func (o *options) add(name string, values ...string) {
	for _, v := range values {
		if v != "" {
			*o = append(*o, name, v)
		}
	}
}

func (o *options) addSwitch(name string, on bool) {
	if on {
		*o = append(*o, name)
	}
}

// Info is what podman says of the machine that containers run on: of the
// service's, where there is one.
type Info struct {
	// CgroupVersion is "v1" or "v2".
	CgroupVersion string `json:"cgroupVersion"`
	// Controllers are the cgroup controllers that podman's containers can have:
	// none with v1 and without root (containers/common pkg/cgroups).
	Controllers []string `json:"cgroupControllers"`
	// Runtime is the OCI runtime: "crun" and "crun version 1.8.1\n…".
	Runtime struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"ociRuntime"`
	// Network is what makes networks, and answers names in them: "netavark
	// 1.4.0". podman says it from 4.4 on.
	Network struct {
		Version string `json:"version"`
		DNS     struct {
			Version string `json:"version"`
		} `json:"dns"`
	} `json:"networkBackendInfo"`
	// FreeLocks is how many more containers, pods and volumes podman can have. podman says it from
	// 4.7 on; nil before.
	FreeLocks *int `json:"freeLocks"`
	// Containers is how many there are, running or not.
	Containers int `json:"-"`
	// GraphDriver is "overlay" or "vfs", GraphRoot the directory of the storage.
	GraphDriver string `json:"-"`
	GraphRoot   string `json:"-"`
	// GraphAllocated is the size of the file system that it is on, GraphUsed what is
	// used of that, by whatever; in bytes.
	GraphAllocated int64 `json:"-"`
	GraphUsed      int64 `json:"-"`
}

// Info asks for it.
func (p *Podman) Info(ctx context.Context) (Info, error) {
	out, err := p.Output(ctx, "info", "--format", "json")
	if err != nil {
		return Info{}, err
	}
	var answer struct {
		Host  *Info `json:"host"`
		Store struct {
			GraphDriverName string `json:"graphDriverName"`
			GraphRoot       string `json:"graphRoot"`
			Allocated       int64  `json:"graphRootAllocated"`
			Used            int64  `json:"graphRootUsed"`
			Containers      struct {
				Number int `json:"number"`
			} `json:"containerStore"`
		} `json:"store"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return Info{}, fmt.Errorf("podman info: reading its answer: %w", err)
	}
	if answer.Host == nil {
		return Info{}, fmt.Errorf("podman info: no host in its answer")
	}
	answer.Host.GraphDriver, answer.Host.GraphRoot = answer.Store.GraphDriverName, answer.Store.GraphRoot
	answer.Host.Containers = answer.Store.Containers.Number
	answer.Host.GraphAllocated, answer.Host.GraphUsed = answer.Store.Allocated, answer.Store.Used
	return *answer.Host, nil
}

// Count returns how many objects of a kind there are: "volume", "network".
func (p *Podman) Count(ctx context.Context, kind string) (int, error) {
	out, err := p.Output(ctx, kind, "ls", "--quiet")
	return bytes.Count(out, []byte("\n")), err
}
