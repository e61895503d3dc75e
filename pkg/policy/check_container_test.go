package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	container        = "general.podman.container"
	serviceContainer = "general.podman.service_container"
)

// commonEntries are the keys that both tables of containers have.
func commonEntries(table string) []entry {
	return []entry{
		{table, "cpus", `1.5`},
		{table, "cpuset_cpus", `"0-3,6"`},
		{table, "cpuset_mems", `"0"`},
		{table, "cpu_shares", `512`},
		{table, "memory", `"512m"`},
		{table, "memory_swap", `"1g"`},
		{table, "memory_reservation", `"256m"`},
		{table, "pids_limit", `500`},
		{table, "shm_size", `134217728`},
		{table, "oom_score_adjust", `500`},
		{table, "cgroup_parent", `"jobs.slice"`},
		{table, "ulimit", `{nofile = "1024:2048", core = 0, nproc = "-1"}`},
		{table, "tmpfs", `{"/scratch" = "rw,size=64m", "/run" = ""}`},
		{table, "volumes", `["/srv/x:/x:ro", "shared:/shared", "/root/.m2"]`},
		{table, "devices", `["/dev/fuse", "/dev/null:/dev/xnull:rw", "vendor.com/net=eth0"]`},
		{table, "gpus", `["nvidia.com/gpu=all"]`},
		{table, "cap_add", `["NET_RAW", "CAP_SYS_PTRACE"]`},
		{table, "cap_drop", `["all"]`},
		{table, "security_opt", `["no-new-privileges", "seccomp=/etc/seccomp.json", "label:disable"]`},
		{table, "userns_mode", `"keep-id:uid=1000,gid=1000"`},
		{table, "group_add", `["audio", "1234"]`},
		{table, "sysctls", `{"net.ipv4.ip_forward" = "1", "net.core.somaxconn" = 4096}`},
		{table, "dns", `["192.0.2.1", "2001:db8::1"]`},
		{table, "dns_search", `["example.org", "."]`},
		{table, "extra_hosts", `["db.example.org:192.0.2.7", "six:2001:db8::7", "gw:host-gateway"]`},
		{table, "init", `true`},
		{table, "runtime", `""`},
		{table, "privileged", `true`},
		{table, "allowed_privileged_images", `["docker\\.io/library/docker:.*"]`},
	}
}

var containerEntries = slices.Concat(commonEntries(container), []entry{
	{container, "hostname", `"build-host"`},
	{container, "network_mode", `"ci-network"`},
	{container, "max_cpus", `"4"`},
	{container, "max_memory", `"2g"`},
	{container, "max_memory_swap", `-1`},
	{container, "max_pids_limit", `-1`},
	{container, "max_shm_size", `"256MB"`},
}, commonEntries(serviceContainer))

func isSize(key string) bool {
	return slices.Contains([]string{"memory", "memory_swap", "memory_reservation", "shm_size", "max_memory", "max_memory_swap", "max_shm_size", "min_free_space"}, key)
}

func TestEveryKeyOfContainers(t *testing.T) {
	text, _ := write(every)
	pm := parse(t, text).General.Podman
	want := Container{
		CPUs: 1_500_000_000, CPUSetCPUs: "0-3,6", CPUSetMems: "0", CPUShares: Integer{512, true},
		Memory: 512 << 20, MemorySwap: 1 << 30, MemoryReservation: 256 << 20, PIDsLimit: Integer{500, true}, ShmSize: 128 << 20,
		OOMScoreAdjust: Integer{500, true}, CgroupParent: "jobs.slice",
		Ulimit:  Ulimits{{"core", 0, 0}, {"nofile", 1024, 2048}, {"nproc", -1, -1}},
		Tmpfs:   TmpfsMounts{{"/run", ""}, {"/scratch", "rw,size=64m"}},
		Volumes: ContainerVolumes{{"/srv/x", "/x", "ro"}, {"shared", "/shared", ""}, {"", "/root/.m2", ""}},
		Devices: []string{"/dev/fuse", "/dev/null:/dev/xnull:rw", "vendor.com/net=eth0"}, GPUs: GPUs{"nvidia.com/gpu=all"},
		CapAdd: []string{"NET_RAW", "CAP_SYS_PTRACE"}, CapDrop: []string{"all"},
		SecurityOpt: []string{"no-new-privileges", "seccomp=/etc/seccomp.json", "label:disable"},
		UsernsMode:  "keep-id:uid=1000,gid=1000", GroupAdd: []string{"audio", "1234"},
		Sysctls: Sysctls{{"net.core.somaxconn", "4096"}, {"net.ipv4.ip_forward", "1"}},
		DNS:     []string{"192.0.2.1", "2001:db8::1"}, DNSSearch: []string{"example.org", "."},
		ExtraHosts: []string{"db.example.org:192.0.2.7", "six:2001:db8::7", "gw:host-gateway"},
		Init:       true, Privileged: true, AllowedPrivilegedImages: []Rule{{Expression: `docker\.io/library/docker:.*`}},
	}
	sameRule := cmp.Comparer(func(a, b Rule) bool { return a.Expression == b.Expression })
	if diff := cmp.Diff(want, pm.ServiceContainer, sameRule); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	user := UserContainer{
		Container: want, Hostname: "build-host", NetworkMode: "ci-network",
		MaxCPUs: 4 * oneCPU, MaxMemory: 2 << 30, MaxMemorySwap: Unlimited, MaxPIDsLimit: Integer{-1, true}, MaxShmSize: 256 << 20,
	}
	if diff := cmp.Diff(user, pm.Container, sameRule); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
}

// What a job can change cannot be a volume for others.
func TestVolumesBelowThoseOfJobs(t *testing.T) {
	const of = "volume_allow_list = ['/data/[a-z]+']\n[general.podman.container]\nvolumes = [\"/data:/a\", \"/data/x:/b\", \"/data/x/y:/c\", \"/data/1/x:/d\"]\n"
	wantProblems(t, smallPolicy(of),
		"p.toml:7: general.podman.container.volumes: entry 2: jobs can mount /data/x (volume_allow_list) and so replace the source",
		"p.toml:7: general.podman.container.volumes: entry 3: jobs can mount /data/x (volume_allow_list) and so replace the source")
	wantProblems(t, smallPolicy(of+"[general.podman.volumes]\nread_only = true\n"))
}

// A service does not have the keys of the job's own container.
func TestKeysOfOneTable(t *testing.T) {
	for _, key := range []string{"hostname", "network_mode", "max_memory"} {
		wantProblems(t, smallPolicy("[general.podman.service_container]\n"+key+" = \"x\"\n"),
			"p.toml:6: general.podman.service_container."+key+": unknown key")
	}
}

// smallPolicy is a policy with further lines, which begin on line 5.
func smallPolicy(more string) string {
	return "[general]\nrun_mechanism = \"podman\"\n[general.podman]\nrunner_image = \"r\"\n" + more
}

// badContainers are values that no table of containers can have, and what is said of
// them.
var badContainers = []struct{ key, value, what string }{
	{"cpus", `0`, `want at least 0.01 CPUs`},
	{"volumes", `["/x", "/cache"]`, `entry 2: every job already has /cache: remove this entry`},
	{"volumes", `["/srv/builds:/builds"]`, `entry 1: reserved for the driver's mounts; to keep builds and cache on the host, set data_dir`},
	{"volumes", `["/x", "/y:/x"]`, `entry 2: /x is already mounted by entry 1`},
	{"volumes", `["x"]`, `entry 1: the destination must be a clean absolute path in the container below /`},
	{"volumes", `"/x"`, `want a list of strings, got a string`},
	{"cpus", `"0.001"`, `want at least 0.01 CPUs`},
	{"cpus", `-1`, `want a number of CPUs such as 1.5, got "-1"`},
	{"cpus", `"1/2"`, `want a number of CPUs such as 1.5, got "1/2"`},
	{"cpus", `""`, `want a number of CPUs such as 1.5, got ""`},
	{"cpus", `nan`, `want a number of CPUs such as 1.5, got "NaN"`},
	{"cpus", `99999`, `too many CPUs: "99999"`},
	{"cpuset_cpus", `"0-"`, `want numbers and ranges such as "0-3,6", got "0-"`},
	{"cpuset_mems", `"all"`, `want numbers and ranges such as "0-3,6", got "all"`},
	{"cpu_shares", `1`, `want a number from 2 to 262144, got 1`},
	{"memory", `"lots"`, `want a size such as 512m or 2g, got "lots"`},
	{"memory", `"512mx"`, `want a size such as 512m or 2g, got "512mx"`},
	{"memory", `"1e3"`, `want a size such as 512m or 2g, got "1e3"`},
	{"memory", `"999999999t"`, `the size "999999999t" is too large`},
	{"memory", `"1m"`, `want at least 6m`},
	{"memory", `-1`, `want a size such as 512m, got -1`},
	{"memory", `-2`, `want a size such as "512m", got the number -2`},
	{"memory_swap", `"256m"`, `want at least memory, which is 512m: memory_swap includes memory`},
	{"memory_reservation", `"1g"`, `want at most memory, which is 512m`},
	{"pids_limit", `-2`, `want a number of processes, or -1, got -2`},
	{"shm_size", `-1`, `want a size such as 512m, got -1`},
	{"oom_score_adjust", `1001`, `want a number from -1000 to 1000, got 1001`},
	{"cgroup_parent", `"a b"`, `want a cgroup path or a systemd slice, got "a b"`},
	{"devices", `["dev/fuse"]`, `entry 1: want HOST[:CONTAINER[:PERMISSIONS]] with absolute paths and PERMISSIONS of r, w and m, or the name of a CDI device, got "dev/fuse"`},
	{"devices", `["/dev/a", "/dev/fuse:/dev/fuse:x"]`, `entry 2: want HOST[:CONTAINER[:PERMISSIONS]] with absolute paths and PERMISSIONS of r, w and m, or the name of a CDI device, got "/dev/fuse:/dev/fuse:x"`},
	{"devices", `["/dev/a:/dev/b:r:w"]`, `entry 1: want HOST[:CONTAINER[:PERMISSIONS]] with absolute paths and PERMISSIONS of r, w and m, or the name of a CDI device, got "/dev/a:/dev/b:r:w"`},
	{"devices", `["/dev/a,/dev/b"]`, `entry 1: want HOST[:CONTAINER[:PERMISSIONS]] with absolute paths and PERMISSIONS of r, w and m, or the name of a CDI device, got "/dev/a,/dev/b"`},
	{"gpus", `"all"`, `want a list of names of CDI devices, such as ["nvidia.com/gpu=all"], got a string`},
	{"gpus", `["all"]`, `entry 1: want the name of a CDI device, such as "nvidia.com/gpu=all" or "nvidia.com/gpu=0", got "all"`},
	{"gpus", `["device=0"]`, `entry 1: want the name of a CDI device, such as "nvidia.com/gpu=all" or "nvidia.com/gpu=0", got "device=0"`},
	{"cap_add", `["NET_RWA"]`, `entry 1: unknown capability "NET_RWA": want a name such as "NET_RAW", or "ALL"`},
	{"cap_drop", `["all", ""]`, `entry 2: unknown capability "": want a name such as "NET_RAW", or "ALL"`},
	{"security_opt", `["secomp=unconfined"]`, `entry 1: want no-new-privileges, or a value for one of apparmor, label, mask, proc-opts, seccomp, unmask, got "secomp=unconfined"`},
	{"security_opt", `["seccomp"]`, `entry 1: want no-new-privileges, or a value for one of apparmor, label, mask, proc-opts, seccomp, unmask, got "seccomp"`},
	{"security_opt", `["no-new-privileges=maybe"]`, `entry 1: want no-new-privileges, or a value for one of apparmor, label, mask, proc-opts, seccomp, unmask, got "no-new-privileges=maybe"`},
	{"security_opt", `["seccomp=profile.json"]`, `entry 1: want seccomp=unconfined or the absolute path of a profile, got "seccomp=profile.json"`},
	{"security_opt", `["label=a\nb"]`, `entry 1: contains a control character`},
	{"userns_mode", `"keepid"`, `want auto, host, keep-id, nomap, container:NAME or ns:PATH, got "keepid"`},
	{"group_add", `["a b"]`, `entry 1: want a group's name or number, got "a b"`},
	{"group_add", `["keep-groups", "audio"]`, `entry 1: keep-groups must be the only entry`},
	{"dns", `["dns.example.org"]`, `entry 1: want an IP address, got "dns.example.org"`},
	{"dns", `["fe80::1%eth0"]`, `entry 1: want an IP address, got "fe80::1%eth0"`},
	{"dns_search", `["a b"]`, `entry 1: want a domain, got "a b"`},
	{"extra_hosts", `["db"]`, `entry 1: want HOST:ADDRESS with an IP address, got "db"`},
	{"extra_hosts", `["db:elsewhere"]`, `entry 1: want HOST:ADDRESS with an IP address, got "db:elsewhere"`},
	{"extra_hosts", `["--x:192.0.2.1"]`, `entry 1: want HOST:ADDRESS with an IP address, got "--x:192.0.2.1"`},
	{"allowed_privileged_images", `["("]`, "entry 1: invalid regular expression: missing closing ): `(`"},
}

func TestBadContainers(t *testing.T) {
	for _, test := range badContainers {
		for _, table := range []string{container, serviceContainer} {
			wantBadValue(t, table+"."+test.key, test.value, test.what)
		}
	}
	for _, test := range []struct{ key, value, what string }{
		{"hostname", `"a b"`, `want a host name of at most 63 letters, digits and hyphens, got "a b"`},
		{"network_mode", `"--privileged"`, `want host, none, bridge, slirp4netns, pasta, container:NAME, ns:PATH or the name of a network, got "--privileged"`},
		{"max_cpus", `0`, `want at least 0.01 CPUs`},
		{"max_cpus", `1`, `want at least cpus, which is 1.5: otherwise jobs can only request less`},
		{"max_memory", `"256m"`, `want at least memory, which is 512m: otherwise jobs can only request less`},
		{"max_memory", `-1`, `want a size such as 512m, got -1`},
		{"max_pids_limit", `0`, `want a number of processes, or -1, got 0`},
	} {
		wantBadValue(t, container+"."+test.key, test.value, test.what)
	}
}

// Tables whose keys the administrator chooses: each problem has its own line.
func TestBadEntries(t *testing.T) {
	tests := []struct{ table, line, name, what string }{
		{"ulimit", `files = "1"`, "files", "unknown limit: want one of core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack"},
		{"ulimit", `nofile = "2:1"`, "nofile", "the soft limit 2 is above the hard limit 1"},
		{"ulimit", `nofile = "-1:1"`, "nofile", "the soft limit -1 is above the hard limit 1"},
		{"ulimit", `nofile = "1:2:3"`, "nofile", `want "SOFT:HARD" or one number, -1 for no limit, got "1:2:3"`},
		{"ulimit", `nofile = "-2"`, "nofile", `want "SOFT:HARD" or one number, -1 for no limit, got "-2"`},
		{"ulimit", `nofile = true`, "nofile", `want "SOFT:HARD", got true`},
		{"tmpfs", `"scratch" = ""`, "scratch", `want a clean absolute path below /, got "scratch"`},
		{"tmpfs", `"/" = ""`, `"/"`, `want a clean absolute path below /, got "/"`},
		{"tmpfs", `"/a/../b" = ""`, `"/a/../b"`, `want a clean absolute path below /, got "/a/../b"`},
		{"tmpfs", `"/a:b" = ""`, `"/a:b"`, `podman cannot mount a path with a colon or a control character: "/a:b"`},
		{"tmpfs", `"/a" = 7`, `"/a"`, `want a string of options, got the number 7`},
		{"tmpfs", `"/a" = "rw size=1"`, `"/a"`, `want options separated by commas, got "rw size=1"`},
		{"tmpfs", `"/dev/shm" = ""`, `"/dev/shm"`, `reserved for podman's mounts`},
		{"tmpfs", `"/builds" = ""`, `"/builds"`, `reserved for the driver's mounts`},
		{"tmpfs", `"/cache/x" = ""`, `"/cache/x"`, `reserved for the driver's mounts`},
		{"tmpfs", `"/run/podman-executor" = ""`, `"/run/podman-executor"`, `reserved for the driver's mounts`},
		{"tmpfs", `"/data/jobs/x" = ""`, `"/data/jobs/x"`, `reserved for the driver's mounts`},
		{"sysctls", `hostname = "x"`, "hostname", `want a name such as "net.ipv4.ip_forward"`},
		{"sysctls", `"net.x" = ""`, `"net.x"`, `want a value without commas, got ""`},
		{"sysctls", `"net.x" = "1,--privileged"`, `"net.x"`, `want a value without commas, got "1,--privileged"`},
		{"sysctls", `"net.x" = [1]`, `"net.x"`, `want a string, got a list`},
	}
	for _, test := range tests {
		text := strings.Replace(smallPolicy("[general.podman.container."+test.table+"]\n"+test.line+"\n"), "[general.podman]", "data_dir = \"/data/jobs\"\n[general.podman]", 1)
		wantProblems(t, text, fmt.Sprintf("p.toml:7: general.podman.container.%s.%s: %s", test.table, test.name, test.what))
	}
	wantProblems(t, smallPolicy("[general.podman.container.ulimit]\nnofile = 1\nnofile = 2\n"),
		"p.toml:7: general.podman.container.ulimit.nofile: duplicate: the file already has this key")
	// A service has no mounts of the driver's.
	parse(t, smallPolicy("[general.podman.service_container.tmpfs]\n\"/cache\" = \"\"\n"))
	// Above the driver's own mounts a tmpfs hides nothing of theirs.
	parse(t, smallPolicy("[general.podman.container.tmpfs]\n\"/run\" = \"\"\n\"/var/tmp\" = \"size=1g\"\n"))
}

func TestKeysThatExcludeOthers(t *testing.T) {
	wantProblems(t, smallPolicy("[general.podman.container]\nnetwork_mode = \"none\"\ndns = [\"192.0.2.1\"]\ndns_search = [\".\"]\n"),
		`p.toml:7: general.podman.container.dns: podman does not accept name servers without a network (network_mode = "none")`,
		`p.toml:8: general.podman.container.dns_search: podman does not accept name servers without a network (network_mode = "none")`)
	wantProblems(t, smallPolicy("service_url = \"unix:///s\"\n[general.podman.container]\nruntime = \"crun\"\n"),
		"p.toml:7: general.podman.container.runtime: podman does not accept a runtime with a service (service_url)")
	wantProblems(t, smallPolicy("[general.podman.container]\nruntime = \"bin/crun\"\n"),
		`p.toml:6: general.podman.container.runtime: want the name of a runtime of containers.conf, or an absolute path, got "bin/crun"`)
	parse(t, smallPolicy("[general.podman.container]\nruntime = \"/usr/bin/crun\"\ncpus = \"2\"\nshm_size = 0\nmemory = \"0\"\n"))
}
