package spec

import (
	"slices"
	"testing"

	"podman-executor/internal/containersconf"
	"podman-executor/pkg/podman"
)

func TestReachServer(t *testing.T) {
	f := Facts{SameHost: []string{"ci.example.test", "git.example.test"}, Gateway: "192.0.2.7"}
	without := f
	without.Gateway = ""
	noHosts := f
	noHosts.Defaults = containersconf.Defaults{NoHosts: true}
	both := []string{"ci.example.test:192.0.2.7", "git.example.test:192.0.2.7"}
	for name, test := range map[string]struct {
		facts Facts
		c     podman.Create
		want  []string
	}{
		"podman's default network":    {f, podman.Create{}, both},
		"the job's own network":       {f, podman.Create{Network: "podman-executor-t-1-net"}, both},
		"pasta":                       {f, podman.Create{Network: "pasta:--map-gw"}, both},
		"the host's network":          {f, podman.Create{Network: "host"}, nil},
		"another container's":         {f, podman.Create{Network: "container:x"}, nil},
		"the policy's network":        {f, podman.Create{Options: []string{"--network=host"}}, nil},
		"the policy's own hosts":      {f, podman.Create{Options: []string{"--add-host=ci.example.test:192.0.2.1"}}, nil},
		"extra_hosts":                 {f, podman.Create{Names: podman.Names{Hosts: []string{"ci.example.test:192.0.2.1"}}}, []string{"ci.example.test:192.0.2.1", both[1]}},
		"no_hosts of containers.conf": {noHosts, podman.Create{}, nil},
		"no address":                  {without, podman.Create{}, nil},
	} {
		if got := reachServer(test.facts, test.c).Names.Hosts; !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
