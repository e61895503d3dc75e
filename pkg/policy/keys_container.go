package policy

// Container is the table [general.podman.service_container]: what the
// containers of services are limited to, and what they get. Its keys have the
// names and values that they have in `[runners.docker]`, where that has them.
type Container struct {
	// CPUs is how many CPUs a container may use, such as 1.5.
	CPUs CPUs `toml:"cpus" podman:"create --cpus"`
	// CPUSetCPUs are the CPUs that it runs on: "0-3", "0,2".
	CPUSetCPUs string `toml:"cpuset_cpus" podman:"create --cpuset-cpus"`
	// CPUSetMems are the memory nodes that it uses: "0-3", "0,2".
	CPUSetMems string `toml:"cpuset_mems" podman:"create --cpuset-mems"`
	// CPUShares is its weight where CPUs are short, from 2 to 262144.
	CPUShares Integer `toml:"cpu_shares" default:"1024" podman:"create --cpu-shares"`
	// Memory is how much memory it may use: a number with b, k, m, g or t,
	// such as "512m" (1m is 1024k), at least "6m". What goes beyond is killed,
	// and the job log says so.
	Memory Size `toml:"memory" podman:"create --memory"`
	// MemorySwap is how much memory and swap together it may use; -1: no limit.
	// It needs `memory`.
	MemorySwap Size `toml:"memory_swap" default:"twice memory" podman:"create --memory-swap"`
	// MemoryReservation is what it is cut back to where memory is short.
	MemoryReservation Size `toml:"memory_reservation" podman:"create --memory-reservation"`
	// PIDsLimit is how many processes and threads it may have; -1: no limit.
	PIDsLimit Integer `toml:"pids_limit" default:"podman's, 2048" podman:"create --pids-limit"`
	// ShmSize is the size of /dev/shm, a number with a unit as for `memory`,
	// or of bytes.
	ShmSize Size `toml:"shm_size" default:"podman's, 64m" podman:"create --shm-size"`
	// OOMScoreAdjust says how early the kernel kills its processes where the
	// machine has no memory left, from -1000 to 1000. Without root it can be
	// raised only.
	OOMScoreAdjust Integer `toml:"oom_score_adjust" podman:"create --oom-score-adj"`
	// CgroupParent is the cgroup under which its own is made.
	CgroupParent string `toml:"cgroup_parent" podman:"create --cgroup-parent"`
	// Ulimit is a table of its limits by getrlimit(2), NAME = "SOFT:HARD" or one
	// number for both; -1: no limit. None can be above that of gitlab-runner's
	// user.
	Ulimit Ulimits `toml:"ulimit" podman:"create --ulimit"`
	// Tmpfs is a table of file systems in memory, PATH = "OPTIONS" as of
	// mount(8): "rw,size=64m,mode=1777".
	Tmpfs TmpfsMounts `toml:"tmpfs" podman:"create --tmpfs"`
	// Volumes are mounts, SOURCE:DESTINATION[:OPTIONS], with a directory of the
	// host, or a podman volume that all projects share, as the source. A
	// DESTINATION alone is a volume of the project's own, kept from job to job,
	// one for each runner and slot, and apart for protected refs; what has the
	// same destination in the other table is the same volume. Builds and cache
	// are mounted anyway.
	Volumes ContainerVolumes `toml:"volumes" podman:"create --volume"`
	// Devices are devices of the host, HOST[:CONTAINER[:PERMISSIONS]], or the
	// names of CDI devices. Without root their file permissions on the host
	// hold; PERMISSIONS of r, w and m then mean nothing.
	Devices []string `toml:"devices" podman:"create --device"`
	// GPUs are names of CDI devices, such as "nvidia.com/gpu=all". `podman
	// create` does not look at them; a name that the machine does not know
	// fails the job's first step.
	GPUs GPUs `toml:"gpus" podman:"create --device"`
	// CapAdd are capabilities added to podman's own set, such as "NET_RAW".
	CapAdd []string `toml:"cap_add" podman:"create --cap-add"`
	// CapDrop are capabilities taken from that set; "ALL" takes all but those
	// of `cap_add`.
	CapDrop []string `toml:"cap_drop" podman:"create --cap-drop"`
	// SecurityOpt are security options: "no-new-privileges",
	// "seccomp=unconfined", "seccomp=/FILE", "label=disable", "apparmor=PROFILE",
	// "mask=PATH", "unmask=PATH", "proc-opts=OPTS".
	SecurityOpt []string `toml:"security_opt" podman:"create --security-opt"`
	// UsernsMode is its user namespace: "keep-id", "auto", "nomap", "host" and
	// their options. With "keep-id" processes are gitlab-runner's user, not root.
	UsernsMode string `toml:"userns_mode" podman:"create --userns"`
	// GroupAdd are further groups of its processes, names of the image or
	// numbers; "keep-groups", alone: those of gitlab-runner's user.
	GroupAdd []string `toml:"group_add" podman:"create --group-add"`
	// Sysctls is a table of kernel parameters of its namespaces, NAME = "VALUE".
	Sysctls Sysctls `toml:"sysctls" podman:"create --sysctl"`
	// DNS are the addresses of its name servers.
	DNS []string `toml:"dns" podman:"create --dns"`
	// DNSSearch are the domains that names without a dot are looked up in.
	DNSSearch []string `toml:"dns_search" podman:"create --dns-search"`
	// ExtraHosts are lines for /etc/hosts, HOST:ADDRESS; from podman 4.7 on the
	// address can be "host-gateway".
	ExtraHosts []string `toml:"extra_hosts" podman:"create --add-host"`
	// Init runs an init as its first process, which takes up processes whose
	// parents have ended.
	Init bool `toml:"init" podman:"create --init"`
	// Runtime is another OCI runtime, a name of containers.conf or an absolute
	// path. podman takes none through a service (`service_url`).
	Runtime string `toml:"runtime" default:"podman's" podman:"create --runtime"`
	// Privileged gives all capabilities and devices that gitlab-runner's user
	// has, and no seccomp profile. Without root that is less than the host's
	// root, but everything of gitlab-runner's user.
	Privileged bool `toml:"privileged" podman:"create --privileged"`
	// AllowedPrivilegedImages are regular expressions like those of
	// `image_allow_list`; only containers of an image that matches one are
	// privileged, the others run without. Absent or empty: all are.
	AllowedPrivilegedImages []Rule `toml:"allowed_privileged_images"`
}

// UserContainer is the table [general.podman.container]: what the job's own
// container is limited to, and what it gets. What limits it, `volumes`, `runtime`, `dns`,
// `dns_search`, `extra_hosts`, `hostname` and `network_mode` hold for the runner
// container, too; for services there is a table of their own. `runner_options` and
// `custom_options` come after all of these.
type UserContainer struct {
	Container
	// Hostname is the host name of the job's containers.
	Hostname string `toml:"hostname" default:"runner-TOKEN-project-ID-concurrent-SLOT" podman:"create --hostname"`
	// NetworkMode is the network of all of the job's containers, services
	// included: "host", "none", "bridge", "slirp4netns", "pasta", "container:NAME",
	// "ns:PATH" or the name of a network. Absent: podman's own default, and for a
	// job with services a network of its own. See the part on networks.
	NetworkMode string `toml:"network_mode" podman:"create --network"`
	// MaxCPUs is up to how many CPUs a job may ask for, by the variable
	// `PODMAN_CPUS`. Absent: what jobs ask for is not granted, with a warning.
	MaxCPUs CPUs `toml:"max_cpus"`
	// MaxMemory is how much memory a job may ask for, by `PODMAN_MEMORY`.
	MaxMemory Size `toml:"max_memory"`
	// MaxMemorySwap is how much memory and swap together a job may ask for, by
	// `PODMAN_MEMORY_SWAP`; -1: any, "-1" included.
	MaxMemorySwap Size `toml:"max_memory_swap"`
	// MaxPIDsLimit is how many processes a job may ask for, by
	// `PODMAN_PIDS_LIMIT`; -1: any, "-1" included.
	MaxPIDsLimit Integer `toml:"max_pids_limit"`
	// MaxShmSize is how large a /dev/shm a job may ask for, by
	// `PODMAN_SHM_SIZE`.
	MaxShmSize Size `toml:"max_shm_size"`
}

// GPUs are names of CDI devices.
type GPUs []string

// Tmpfs is one file system in memory.
type Tmpfs struct{ Path, Options string }

// TmpfsMounts are in the order of their paths.
type TmpfsMounts []Tmpfs

// Ulimit is one limit of getrlimit(2); -1 is none.
type Ulimit struct {
	Name       string
	Soft, Hard int64
}

// Ulimits are in the order of their names.
type Ulimits []Ulimit

// Sysctl is one kernel parameter.
type Sysctl struct{ Name, Value string }

// Sysctls are in the order of their names.
type Sysctls []Sysctl
