package policy

// Container is the table [general.podman.service_container]: limits and settings of
// service containers. Its keys have the names and values that they have in
// `[runners.docker]`, if they exist there.
type Container struct {
	// CPUs is how many CPUs a container may use, such as 1.5.
	CPUs CPUs `toml:"cpus" podman:"create --cpus"`
	// CPUSetCPUs are the CPUs that it runs on: "0-3", "0,2".
	CPUSetCPUs string `toml:"cpuset_cpus" podman:"create --cpuset-cpus"`
	// CPUSetMems are the memory nodes that it uses: "0-3", "0,2".
	CPUSetMems string `toml:"cpuset_mems" podman:"create --cpuset-mems"`
	// CPUShares is its weight when CPUs are scarce, from 2 to 262144.
	CPUShares Integer `toml:"cpu_shares" default:"1024" podman:"create --cpu-shares"`
	// Memory is how much memory it may use: a number with b, k, m, g or t, such as "512m"
	// (1m is 1024k), at least "6m". A process that exceeds it is killed, and the job log
	// says so.
	Memory Size `toml:"memory" podman:"create --memory"`
	// MemorySwap is how much memory and swap together it may use; -1: no limit. It requires
	// `memory`.
	MemorySwap Size `toml:"memory_swap" default:"twice memory" podman:"create --memory-swap"`
	// MemoryReservation is what it is reduced to when memory is scarce.
	MemoryReservation Size `toml:"memory_reservation" podman:"create --memory-reservation"`
	// PIDsLimit is how many processes and threads it may have; -1: no limit.
	PIDsLimit Integer `toml:"pids_limit" default:"podman's, 2048" podman:"create --pids-limit"`
	// ShmSize is the size of /dev/shm: a number with a unit as for `memory`, or a number of
	// bytes.
	ShmSize Size `toml:"shm_size" default:"podman's, 64m" podman:"create --shm-size"`
	// OOMScoreAdjust says how early the kernel kills its processes when memory runs out,
	// from -1000 to 1000. Rootless, it can only be raised.
	OOMScoreAdjust Integer `toml:"oom_score_adjust" podman:"create --oom-score-adj"`
	// CgroupParent is the cgroup below which the container's cgroup is created.
	CgroupParent string `toml:"cgroup_parent" podman:"create --cgroup-parent"`
	// Ulimit is a table of limits of getrlimit(2), NAME = "SOFT:HARD" or one number for
	// both; -1: no limit. None can exceed that of gitlab-runner's user.
	Ulimit Ulimits `toml:"ulimit" podman:"create --ulimit"`
	// Tmpfs is a table of file systems in memory, PATH = "OPTIONS" as for mount(8):
	// "rw,size=64m,mode=1777".
	Tmpfs TmpfsMounts `toml:"tmpfs" podman:"create --tmpfs"`
	// Volumes are mounts, SOURCE:DESTINATION[:OPTIONS], or a DESTINATION alone. Builds and
	// cache are always mounted.
	//
	// SOURCE is a directory of the host, or a podman volume that all projects share. A
	// DESTINATION alone is a private volume of the project, kept from job to job: one for
	// each runner and slot, with a separate one for protected refs. The same destination in
	// the other table is the same volume.
	Volumes ContainerVolumes `toml:"volumes" podman:"create --volume"`
	// Devices are devices of the host, HOST[:CONTAINER[:PERMISSIONS]], or the names of CDI
	// devices. Rootless, their file permissions on the host apply, and PERMISSIONS have no
	// effect.
	Devices []string `toml:"devices" podman:"create --device"`
	// GPUs are names of CDI devices, such as "nvidia.com/gpu=all". `podman create` does not
	// check them; a name that the machine does not know fails the job's first step.
	GPUs GPUs `toml:"gpus" podman:"create --device"`
	// CapAdd are capabilities added to podman's default set, such as "NET_RAW".
	CapAdd []string `toml:"cap_add" podman:"create --cap-add"`
	// CapDrop are capabilities removed from that set; "ALL" removes all except those of
	// `cap_add`.
	CapDrop []string `toml:"cap_drop" podman:"create --cap-drop"`
	// SecurityOpt are security options: "no-new-privileges", "seccomp=unconfined",
	// "seccomp=/FILE", "label=disable", "apparmor=PROFILE", "mask=PATH", "unmask=PATH",
	// "proc-opts=OPTS".
	SecurityOpt []string `toml:"security_opt" podman:"create --security-opt"`
	// UsernsMode is its user namespace: "keep-id", "auto", "nomap", "host" and their
	// options. With "keep-id" its processes run as gitlab-runner's user, not as root.
	UsernsMode string `toml:"userns_mode" podman:"create --userns"`
	// GroupAdd are more groups for its processes: names in the image or numbers.
	// "keep-groups", alone, means those of gitlab-runner's user.
	GroupAdd []string `toml:"group_add" podman:"create --group-add"`
	// Sysctls is a table of kernel parameters of its namespaces, NAME = "VALUE".
	Sysctls Sysctls `toml:"sysctls" podman:"create --sysctl"`
	// DNS are the addresses of its name servers.
	DNS []string `toml:"dns" podman:"create --dns"`
	// DNSSearch are the domains in which names without a dot are looked up.
	DNSSearch []string `toml:"dns_search" podman:"create --dns-search"`
	// ExtraHosts are lines for /etc/hosts, HOST:ADDRESS; from podman 4.7 on, the address can
	// be "host-gateway".
	ExtraHosts []string `toml:"extra_hosts" podman:"create --add-host"`
	// Init runs an init as its first process, which reaps orphaned processes.
	Init bool `toml:"init" podman:"create --init"`
	// Runtime is a different OCI runtime: a name from containers.conf or an absolute path.
	// podman does not accept one with a service (`service_url`).
	Runtime string `toml:"runtime" default:"podman's" podman:"create --runtime"`
	// Privileged gives all capabilities and devices that gitlab-runner's user has, and no
	// seccomp profile. Rootless, that is everything gitlab-runner's user may do, but not
	// what root may.
	Privileged bool `toml:"privileged" podman:"create --privileged"`
	// AllowedPrivilegedImages are regular expressions like those of `image_allow_list`. Only
	// containers of a matching image are privileged; others run without. Absent or empty:
	// all are.
	AllowedPrivilegedImages []Rule `toml:"allowed_privileged_images"`
}

// UserContainer is the table [general.podman.container]: limits and settings of the
// job's container. Its limits and `volumes`, `runtime`, `dns`, `dns_search`,
// `extra_hosts`, `hostname` and `network_mode` also apply to the runner container.
// Services have a separate table. `runner_options` and `custom_options` come after all
// of these.
type UserContainer struct {
	Container
	// Hostname is the host name of the job's containers.
	Hostname string `toml:"hostname" default:"runner-TOKEN-project-ID-concurrent-SLOT" podman:"create --hostname"`
	// NetworkMode is the network for all of the job's containers, including services. See
	// [Networks](#networks).
	//
	// It is "host", "none", "bridge", "slirp4netns", "pasta", "container:NAME", "ns:PATH" or
	// the name of a network. Absent: podman's default, and a private network for a job with
	// services.
	NetworkMode string `toml:"network_mode" podman:"create --network"`
	// MaxCPUs is the most CPUs that a job may request with the variable `PODMAN_CPUS`.
	// Absent: such a request is ignored with a warning.
	MaxCPUs CPUs `toml:"max_cpus"`
	// MaxMemory is the most memory that a job may request with `PODMAN_MEMORY`.
	MaxMemory Size `toml:"max_memory"`
	// MaxMemorySwap is the most memory and swap together that a job may request with
	// `PODMAN_MEMORY_SWAP`; -1: any value, including "-1".
	MaxMemorySwap Size `toml:"max_memory_swap"`
	// MaxPIDsLimit is the most processes that a job may request with `PODMAN_PIDS_LIMIT`;
	// -1: any value, including "-1".
	MaxPIDsLimit Integer `toml:"max_pids_limit"`
	// MaxShmSize is the largest /dev/shm that a job may request with `PODMAN_SHM_SIZE`.
	MaxShmSize Size `toml:"max_shm_size"`
}

// GPUs are names of CDI devices.
type GPUs []string

// Tmpfs is one file system in memory.
type Tmpfs struct{ Path, Options string }

// TmpfsMounts are in the order of their paths.
type TmpfsMounts []Tmpfs

// Ulimit is one limit of getrlimit(2); -1: no limit.
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
