package podman

import (
	"strings"
	"testing"
	"time"
)

// TestServiceArgs: the command lines, with hostile names behind `--`.
func TestServiceArgs(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.FixedZone("", 3600))
	labels := map[string]string{"b": "2", "a": "1", "c": ""}
	tests := []struct {
		name string
		call func(p *Podman) error
		want string
	}{
		{"create a network", func(p *Podman) error {
			return p.CreateNetwork(t.Context(), CreateNetwork{Name: "-n", Labels: labels, IPv6: true, MTU: 1400, Isolate: IsolateAll})
		}, "network create --label a=1 --label b=2 --label c= --ipv6 --opt mtu=1400 --opt isolate=strict -- -n"},
		{"create a bare network", func(p *Podman) error { return p.CreateNetwork(t.Context(), CreateNetwork{Name: "n"}) }, "network create -- n"},
		{"remove networks", func(p *Podman) error { return p.RemoveNetworks(t.Context(), "-n", "m") }, "network rm --force -- -n\nnetwork rm --force -- m"},
		{"remove no networks", func(p *Podman) error { return p.RemoveNetworks(t.Context()) }, ""},
		{"start a service", func(p *Podman) error { return p.StartDetached(t.Context(), "-n") }, "start -- -n"},
		{"logs", func(p *Podman) error { _, err := p.Logs(t.Context(), "-n", time.Time{}, 20); return err }, "logs --tail 20 -- -n"},
		{"logs since", func(p *Podman) error { _, err := p.Logs(t.Context(), "n", since, -1); return err }, "logs --tail -1 --since 2026-01-02T02:04:05.6Z -- n"},
	}
	for _, tt := range tests {
		p, calls := answers(t, nil)
		if err := tt.call(p); err != nil || calls() != tt.want {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", tt.name, err, calls(), tt.want)
		}
	}
}

func TestNetworks(t *testing.T) {
	p, calls := answers(t, map[string]string{"network": `[{"name": "a", "id": "1", "labels": {"k": "v"}}, {"name": "b", "driver": "bridge", "labels": null}]`})
	list, err := p.Networks(t.Context(), "k", "k", "absent")
	if err != nil || len(list) != 2 || list[0].Name != "a" || list[0].Labels["k"] != "v" || list[1].Name != "b" || len(list[1].Labels) != 0 {
		t.Errorf("got %+v, %v", list, err)
	}
	if want := "network ls --filter label=k --format TEMPLATE"; calls() != want {
		t.Errorf("got %s", calls())
	}
	p, _ = answers(t, map[string]string{"network": "[]"})
	if list, err := p.Networks(t.Context(), "k"); len(list) != 0 || err != nil {
		t.Errorf("of none: %+v, %v", list, err)
	}
	p, _ = answers(t, map[string]string{"network": "x"})
	if _, err := p.Networks(t.Context(), "k"); err == nil || !strings.HasPrefix(err.Error(), "podman network ls: reading its output: ") {
		t.Errorf("of no JSON: %v", err)
	}
	p, _ = answers(t, map[string]string{"network.exit": "125", "network.stderr": "Error: broken"})
	if _, err := p.Networks(t.Context(), "k"); err == nil || err.Error() != "podman network ls: exit status 125: broken" {
		t.Errorf("of a podman that fails: %v", err)
	}
}

// TestRemoveNetworksMissing: a network that does not exist counts as removed.
func TestRemoveNetworksMissing(t *testing.T) {
	tests := []struct {
		code, said string
		wrong      bool
	}{
		{"1", "Error: unable to find network with name or ID n: network not found\n", false},
		{"2", "Error: network n has associated containers with it\n", true},
		{"1", "Error: netavark: not found\n", true},
		{"1", "Error: cannot delete network\n", true},
	}
	for _, tt := range tests {
		p, calls := answers(t, map[string]string{"network.exit": tt.code, "network.stderr": tt.said})
		err := p.RemoveNetworks(t.Context(), "n", "m")
		if (err != nil) != tt.wrong {
			t.Errorf("%s: %v", tt.said, err)
		}
		if got := strings.Count(calls(), "network rm "); !tt.wrong && got != 2 {
			t.Errorf("%s: %d networks were removed, want 2", tt.said, got)
		}
	}
}
