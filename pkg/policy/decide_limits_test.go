package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// containerPolicy has lines of [general.podman.container], which begin on line 6.
func containerPolicy(t testing.TB, lines string) *Policy {
	t.Helper()
	return parse(t, smallPolicy("[general.podman.container]\n"+lines))
}

func TestLimitsGranted(t *testing.T) {
	const maxima = "max_cpus = 4\nmax_memory = \"2g\"\nmax_memory_swap = \"3g\"\nmax_pids_limit = 1000\nmax_shm_size = \"256m\"\n"
	tests := []struct {
		policy string
		asked  LimitRequest
		want   Container
	}{
		{"", LimitRequest{}, Container{}},
		{"cpus = 1\nmemory = \"512m\"\n", LimitRequest{}, Container{CPUs: oneCPU, Memory: 512 << 20}},
		{maxima, LimitRequest{CPUs: "2.5", Memory: "1G", MemorySwap: "1536M", PIDsLimit: "100", ShmSize: "128MiB"}, Container{CPUs: 2_500_000_000, Memory: 1 << 30, MemorySwap: 1536 << 20, PIDsLimit: Integer{100, true}, ShmSize: 128 << 20}},
		{maxima, LimitRequest{CPUs: "4", Memory: "2g"}, Container{CPUs: 4 * oneCPU, Memory: 2 << 30}},
		{maxima + "memory = \"1g\"\ncpus = 2\n", LimitRequest{CPUs: "0.5", Memory: "64m"}, Container{CPUs: 500_000_000, Memory: 64 << 20}},
		// Swap and reservation fit the job's memory.
		{maxima + "memory = \"512m\"\nmemory_swap = \"1g\"\n", LimitRequest{Memory: "1g"}, Container{Memory: 1 << 30, MemorySwap: 1536 << 20}},
		{maxima + "memory = \"512m\"\nmemory_swap = \"2g\"\n", LimitRequest{Memory: "2g"}, Container{Memory: 2 << 30, MemorySwap: 3 << 30}},
		{maxima + "memory = \"512m\"\nmemory_swap = -1\n", LimitRequest{Memory: "2g"}, Container{Memory: 2 << 30, MemorySwap: Unlimited}},
		{maxima + "memory = \"1g\"\nmemory_reservation = \"512m\"\n", LimitRequest{Memory: "64m"}, Container{Memory: 64 << 20, MemoryReservation: 64 << 20}},
		{"memory = \"1g\"\nmax_memory_swap = -1\nmax_pids_limit = -1\n", LimitRequest{MemorySwap: "-1", PIDsLimit: "-1"}, Container{Memory: 1 << 30, MemorySwap: Unlimited, PIDsLimit: Integer{-1, true}}},
	}
	for _, test := range tests {
		g := grant(t, containerPolicy(t, test.policy), Request{Image: "x", Limits: test.asked})
		if diff := cmp.Diff(test.want, g.Container); diff != "" || len(g.Notices) > 0 {
			t.Errorf("%q, %+v: %q (-want +got):\n%s", test.policy, test.asked, g.Notices, diff)
		}
	}
}

// Without a maximum nothing is granted.
func TestLimitsIgnored(t *testing.T) {
	all := LimitRequest{CPUs: "1", Memory: "--privileged", MemorySwap: "1g", PIDsLimit: "x", ShmSize: "1m"}
	g := grant(t, containerPolicy(t, "memory = \"512m\"\n"), Request{Image: "x", Limits: all})
	want := []string{
		"PODMAN_CPUS is ignored: the policy of this runner has no max_cpus, so jobs cannot request it",
		"PODMAN_MEMORY is ignored: the policy of this runner has no max_memory, so jobs cannot request it",
		"PODMAN_MEMORY_SWAP is ignored: the policy of this runner has no max_memory_swap, so jobs cannot request it",
		"PODMAN_PIDS_LIMIT is ignored: the policy of this runner has no max_pids_limit, so jobs cannot request it",
		"PODMAN_SHM_SIZE is ignored: the policy of this runner has no max_shm_size, so jobs cannot request it",
	}
	if diff := cmp.Diff(want, g.Notices); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Container{Memory: 512 << 20}, g.Container); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLimitsDenied(t *testing.T) {
	const maxima = "max_cpus = 4\nmax_memory = \"2g\"\nmax_memory_swap = \"3g\"\nmax_pids_limit = 1000\nmax_shm_size = \"256m\"\n"
	tests := []struct {
		asked         LimitRequest
		message, hint string
	}{
		{LimitRequest{CPUs: "4.01"}, `policy denies PODMAN_CPUS "4.01": at most 4 is allowed`, "request at most 4 in .gitlab-ci.yml (p.toml:6: general.podman.container.max_cpus)"},
		{LimitRequest{CPUs: "0"}, `policy denies PODMAN_CPUS: want at least 0.01 CPUs, got "0"`, "fix the variable; at most 4 is allowed (p.toml:6: general.podman.container.max_cpus)"},
		{LimitRequest{CPUs: "2 --privileged"}, `policy denies PODMAN_CPUS: want a number of CPUs such as 1.5, got "2 --privileged"`, "fix the variable; at most 4 is allowed (p.toml:6: general.podman.container.max_cpus)"},
		{LimitRequest{Memory: "64g"}, `policy denies PODMAN_MEMORY "64g": at most 2g is allowed`, "request at most 2g in .gitlab-ci.yml (p.toml:7: general.podman.container.max_memory)"},
		{LimitRequest{Memory: "2049m"}, `policy denies PODMAN_MEMORY "2049m": at most 2g is allowed`, "request at most 2g in .gitlab-ci.yml (p.toml:7: general.podman.container.max_memory)"},
		{LimitRequest{Memory: "-1"}, `policy denies PODMAN_MEMORY: want a size such as 512m or 2g, got "-1"`, "fix the variable; at most 2g is allowed (p.toml:7: general.podman.container.max_memory)"},
		{LimitRequest{Memory: "1m"}, `policy denies PODMAN_MEMORY: want at least 6m, got "1m"`, "fix the variable; at most 2g is allowed (p.toml:7: general.podman.container.max_memory)"},
		{LimitRequest{MemorySwap: "-1", Memory: "1g"}, `policy denies PODMAN_MEMORY_SWAP "-1": at most 3g is allowed`, "request at most 3g in .gitlab-ci.yml (p.toml:8: general.podman.container.max_memory_swap)"},
		{LimitRequest{MemorySwap: "1g"}, `policy denies PODMAN_MEMORY_SWAP: it requires a memory limit, and none is set`, "also set PODMAN_MEMORY, or remove PODMAN_MEMORY_SWAP (p.toml:8: general.podman.container.max_memory_swap)"},
		{LimitRequest{MemorySwap: "1g", Memory: "2g"}, `policy denies PODMAN_MEMORY_SWAP "1g": it includes memory, which is 2g`, "request more, or remove it (p.toml:8: general.podman.container.max_memory_swap)"},
		{LimitRequest{PIDsLimit: "-1"}, `policy denies PODMAN_PIDS_LIMIT "-1": at most 1000 is allowed`, "request at most 1000 in .gitlab-ci.yml (p.toml:9: general.podman.container.max_pids_limit)"},
		{LimitRequest{PIDsLimit: "0"}, `policy denies PODMAN_PIDS_LIMIT: want a number of processes, got "0"`, "fix the variable; at most 1000 is allowed (p.toml:9: general.podman.container.max_pids_limit)"},
		{LimitRequest{PIDsLimit: "99999999999999999999"}, `policy denies PODMAN_PIDS_LIMIT: want a number of processes, got "99999999999999999999"`, "fix the variable; at most 1000 is allowed (p.toml:9: general.podman.container.max_pids_limit)"},
		{LimitRequest{ShmSize: "0"}, `policy denies PODMAN_SHM_SIZE: want a size such as 512m or 2g, got "0"`, "fix the variable; at most 256m is allowed (p.toml:10: general.podman.container.max_shm_size)"},
		{LimitRequest{ShmSize: "257m"}, `policy denies PODMAN_SHM_SIZE "257m": at most 256m is allowed`, "request at most 256m in .gitlab-ci.yml (p.toml:10: general.podman.container.max_shm_size)"},
	}
	p := containerPolicy(t, maxima)
	for _, test := range tests {
		message, hint := deny(t, p, Request{Image: "x", Limits: test.asked})
		if message != test.message || hint != test.hint {
			t.Errorf("%+v: got\n%s\n%s\nwant\n%s\n%s", test.asked, message, hint, test.message, test.hint)
		}
	}
	long := strings.Repeat("9", 5000)
	if message, _ := deny(t, p, Request{Image: "x", Limits: LimitRequest{Memory: long}}); len(message) > 200 {
		t.Errorf("a long value makes a long message: %d bytes", len(message))
	}
}

// The runner container has the policy's limits and names, not what the job asks
// for, and nothing that gives privileges. A service has what its own table says.
func TestContainersOfAJob(t *testing.T) {
	text, _ := write(every)
	p := parse(t, text)
	r := served(ServiceRequest{Image: "docker.io/library/docker:28", Aliases: []string{"d"}}, ServiceRequest{Image: "docker.io/library/redis:8", Aliases: []string{"r"}})
	r.Limits.Memory = "1g"
	g := grant(t, p, r)
	c := g.RunnerContainer
	if c.Memory != 512<<20 || len(c.Ulimit) != 3 || len(c.DNS) != 2 || len(c.ExtraHosts) != 3 {
		t.Errorf("the runner container is not limited like the user container: %+v", c)
	}
	if c.Privileged || c.Init || len(c.Devices)+len(c.GPUs)+len(c.CapAdd)+len(c.SecurityOpt)+len(c.Sysctls)+len(c.Tmpfs)+len(c.GroupAdd) > 0 || c.UsernsMode != "" {
		t.Errorf("the runner container has privileges: %+v", c)
	}
	if g.Container.Privileged || !g.Services[0].Container.Privileged || g.Services[1].Container.Privileged {
		t.Error("other containers are privileged than those of the image on the list")
	}
	if g.Hostname != "build-host" {
		t.Errorf("the host name is %q", g.Hostname)
	}
}

func TestPrivileged(t *testing.T) {
	for list, want := range map[string]bool{
		"":                                 true,
		"allowed_privileged_images = []\n": true,
		"allowed_privileged_images = ['docker\\.io/library/docker:.*']\n": true,
		"allowed_privileged_images = ['docker:.*']\n":                     false,
	} {
		g := grant(t, containerPolicy(t, "privileged = true\n"+list), Request{Image: "docker:28"})
		if g.Container.Privileged != want {
			t.Errorf("%q: privileged %v", list, g.Container.Privileged)
		}
		if g := grant(t, containerPolicy(t, list), Request{Image: "docker:28"}); g.Container.Privileged {
			t.Errorf("%q: privileged without the key", list)
		}
	}
}

func TestControlled(t *testing.T) {
	text, _ := write(every)
	tests := []struct {
		policy *Policy
		want   []string
	}{
		{containerPolicy(t, ""), nil},
		{containerPolicy(t, "pids_limit = -1\nshm_size = \"1g\"\nulimit = {nofile = 1}\nmax_memory = \"1g\"\n"), nil},
		{containerPolicy(t, "cpus = 1\nmemory = \"1g\"\n"), []string{"cpus cpu", "memory memory"}},
		{parse(t, text), []string{"cpus cpu", "cpuset_cpus cpuset", "cpuset_mems cpuset", "cpu_shares cpu", "memory memory", "memory_reservation memory", "pids_limit pids"}},
		{parse(t, smallPolicy("[[general.podman.services]]\nname = \"redis\"\n[general.podman.service_container]\npids_limit = 10\n")), []string{"pids_limit pids"}},
	}
	for i, test := range tests {
		var got []string
		for _, l := range grant(t, test.policy, Request{Image: "docker.io/library/x"}).Controlled() {
			got = append(got, l.Limit+" "+l.Controller)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%d: got %q, want %q", i, got, test.want)
		}
	}
}

func TestMoreMemory(t *testing.T) {
	const less = "use less memory, or ask the administrator of this runner for more (p.toml:"
	p := containerPolicy(t, "memory = \"1g\"\nmax_memory = \"2g\"\n")
	for than, want := range map[Size]string{
		1 << 30:   "request more with the variable PODMAN_MEMORY in .gitlab-ci.yml: up to 2g",
		2 << 30:   less + "7: general.podman.container.max_memory)",
		Unlimited: less + "6: general.podman.container.memory)",
	} {
		if got := p.MoreMemory(than); got != want {
			t.Errorf("%s: %q", than, got)
		}
	}
	if got := containerPolicy(t, "memory = \"1g\"\n").MoreMemory(1 << 30); got != less+"6: general.podman.container.memory)" {
		t.Errorf("no maximum: %q", got)
	}
}
