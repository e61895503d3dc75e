package policy

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNetworks(t *testing.T) {
	tests := []struct {
		name, policy       string
		alone, withService Network
	}{
		{"absent", "", Network{}, Network{Own: true, Aliases: true}},
		{"bridge", "[general.podman.container]\nnetwork_mode = \"bridge\"\n", Network{Mode: "bridge", Runner: "bridge"}, Network{Own: true, Runner: "bridge", Aliases: true}},
		{"named", "[general.podman.container]\nnetwork_mode = \"ci\"\n", Network{Mode: "ci", Runner: "ci"}, Network{Mode: "ci", Runner: "ci", Hosts: true}},
		{"host", "[general.podman.container]\nnetwork_mode = \"host\"\n", Network{Mode: "host", Runner: "host"}, Network{Mode: "host", Runner: "host"}},
		{
			"options come last", "runner_options = [\"--network=slirp4netns\"]\ncustom_options = [\"--net\", \"none\"]\n[general.podman.container]\nnetwork_mode = \"host\"\n",
			Network{},
			Network{Mode: "host"},
		},
	}
	for _, test := range tests {
		p := parse(t, smallPolicy(test.policy))
		if diff := cmp.Diff(test.alone, grant(t, p, Request{Image: "x"}).Network); diff != "" {
			t.Errorf("%s, no services (-want +got):\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.withService, grant(t, p, served(ServiceRequest{Image: "x", Aliases: []string{"a"}})).Network); diff != "" {
			t.Errorf("%s, a service (-want +got):\n%s", test.name, diff)
		}
	}
}

// served is a job with services.
func served(services ...ServiceRequest) Request {
	return Request{Image: "x", Services: services}
}

// Services that nothing could reach are refused.
func TestServicesApart(t *testing.T) {
	for _, mode := range []string{"none", "private", "slirp4netns:mtu=1500", "pasta", "container:x", "ns:/run/netns/x"} {
		p := containerPolicy(t, "network_mode = \""+mode+"\"\n")
		message, hint := deny(t, p, served(ServiceRequest{Image: "x", Aliases: []string{"a"}}))
		if message != `policy denies the job's services: with network_mode = "`+mode+`" in the policy of this runner, nothing can reach them` ||
			hint != "remove `services:` from .gitlab-ci.yml, or use another runner (p.toml:6: general.podman.container.network_mode)" {
			t.Errorf("%s: %s\n%s", mode, message, hint)
		}
		if g := grant(t, p, Request{Image: "x"}); g.Network != (Network{Mode: mode, Runner: mode}) {
			t.Errorf("%s: %+v", mode, g.Network)
		}
	}
}

// On the host's network aliases are lines of /etc/hosts.
func TestServicesOfHost(t *testing.T) {
	p := containerPolicy(t, "network_mode = \"host\"\nextra_hosts = [\"db:192.0.2.1\"]\n")
	g := grant(t, p, served(ServiceRequest{Image: "x", Aliases: []string{"a", "b"}}, ServiceRequest{Image: "y", Aliases: []string{"c"}}))
	services := []string{"a:127.0.0.1", "b:127.0.0.1", "c:127.0.0.1"}
	if want := slices.Concat([]string{"db:192.0.2.1"}, services); !slices.Equal(g.Container.ExtraHosts, want) {
		t.Errorf("the user container has %q", g.Container.ExtraHosts)
	}
	if !slices.Equal(g.Services[0].Container.ExtraHosts, services) || !slices.Equal(g.Services[1].Container.ExtraHosts, services) {
		t.Errorf("the services have %q", g.Services[0].Container.ExtraHosts)
	}
	if !slices.Equal(p.General.Podman.Container.ExtraHosts, []string{"db:192.0.2.1"}) {
		t.Errorf("the policy has changed: %q", p.General.Podman.Container.ExtraHosts)
	}
}
