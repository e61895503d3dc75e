package podman

import (
	"slices"
	"testing"
)

// Each option once, in one fixed order; what is not set is not there.
func TestResourcesArgs(t *testing.T) {
	tests := []struct {
		name      string
		got, want []string
	}{
		{"nothing", slices.Concat(Limits{}.args(), Names{}.args(), Isolation{}.args()), nil},
		{"limits", Limits{
			CPUs: "1.5", CPUSetCPUs: "0-1", CPUSetMems: "0", CPUShares: "512", Memory: "512m", MemorySwap: "-1", MemoryReservation: "256m",
			PIDs: "100", ShmSize: "64m", OOMScore: "500", CgroupParent: "jobs.slice", Ulimits: []string{"core=0:0", "nofile=1:2"},
		}.args(), []string{
			"--cpus", "1.5", "--cpuset-cpus", "0-1", "--cpuset-mems", "0", "--cpu-shares", "512", "--memory", "512m", "--memory-swap", "-1",
			"--memory-reservation", "256m", "--pids-limit", "100", "--shm-size", "64m", "--oom-score-adj", "500", "--cgroup-parent", "jobs.slice",
			"--ulimit", "core=0:0", "--ulimit", "nofile=1:2",
		}},
		{"names", Names{DNS: []string{"192.0.2.1", "::1"}, Search: []string{"a"}, Hosts: []string{"h:192.0.2.2"}}.args(), []string{
			"--dns", "192.0.2.1", "--dns", "::1", "--dns-search", "a", "--add-host", "h:192.0.2.2",
		}},
		{"isolation", Isolation{
			Runtime: "crun", Init: true, Privileged: true, Devices: []string{"/dev/fuse", "v/c=n"}, CapAdd: []string{"A"}, CapDrop: []string{"ALL"},
			SecurityOpt: []string{"label=disable"}, UserNS: "keep-id", Groups: []string{"1"}, Sysctls: []string{"a.b=c"},
		}.args(), []string{
			"--runtime", "crun", "--init", "--privileged", "--device", "/dev/fuse", "--device", "v/c=n", "--cap-add", "A", "--cap-drop", "ALL",
			"--security-opt", "label=disable", "--userns", "keep-id", "--group-add", "1", "--sysctl", "a.b=c",
		}},
		// The administrator's options come after them.
		{"create", Create{Name: "n", Image: "i", Limits: Limits{CPUs: "1"}, Names: Names{Hosts: []string{"h:::1"}}, Isolation: Isolation{Init: true}, Options: []string{"--cpus=2"}}.Args(), []string{
			"create", "--name", "n", "--pull=never", "--interactive", "--log-driver", "none", "--no-healthcheck", "--http-proxy=false",
			"--cpus", "1", "--add-host", "h:::1", "--init", "--cpus=2", "--", "i",
		}},
	}
	for _, tt := range tests {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: got\n%q, want\n%q", tt.name, tt.got, tt.want)
		}
	}
}
