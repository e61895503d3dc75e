package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Network is how a job's containers are connected.
type Network struct {
	// Own tells that the job has a network of its own, with DNS for its
	// services; Mode is empty then.
	Own bool
	// Mode is the `--network` of the user container and of services, empty for
	// podman's default; Runner is that of the runner container.
	Mode, Runner string
	// Aliases tells that the network knows services by their aliases: it is the
	// job's own. On a network that others are on, too, a service could take the name
	// of any host from all of them.
	Aliases bool
	// Hosts tells that the user container has the services' addresses as lines of
	// /etc/hosts, by their aliases, and each service those of the ones before it.
	Hosts bool
}

// networkKind is what a network mode means for the services of a job.
type networkKind int

const (
	// bridged is podman's default bridge, which has no DNS, or the key's
	// absence: jobs with services get a network of their own.
	bridged networkKind = iota
	// named is a network of the administrator's, which others are on, too.
	named
	// ofHost is the host's network: services are at 127.0.0.1.
	ofHost
	// apart is a network that no other container of the job reaches.
	apart
)

// kindOf tells the kind of a network mode (podman-create(1), --network).
func kindOf(mode string) networkKind {
	word, _, _ := strings.Cut(mode, ":")
	switch word {
	case "", "bridge":
		return bridged
	case "host":
		return ofHost
	case "none", "private", "slirp4netns", "pasta", "container", "ns":
		return apart
	}
	return named
}

// decideNetwork connects the containers of a job whose services are granted. An
// administrator's `--network` among the options of a container replaces
// network_mode there: podman takes both together for two networks.
func (p *Policy) decideNetwork(_ Request, g *Grant) *Denial {
	const key = "general.podman.container.network_mode"
	pm := p.General.Podman
	mode := pm.Container.NetworkMode
	kind := kindOf(mode)
	services := len(g.Services) > 0
	if services && kind == apart {
		return p.denial("the job's services", key,
			fmt.Sprintf("the policy of this runner has network_mode = %q, and nothing could reach them there", mode),
			"leave `services:` out of .gitlab-ci.yml, or use another runner")
	}
	if services && kind == ofHost {
		g.hostServices()
	}
	g.Network = Network{Own: services && kind == bridged, Mode: mode, Runner: mode, Aliases: services && kind == bridged, Hosts: services && kind == named}
	if g.Network.Own || setsNetwork(pm.CustomOptions) && !services {
		g.Network.Mode = ""
	}
	if setsNetwork(pm.RunnerOptions) {
		g.Network.Runner = ""
	}
	return nil
}

// setsNetwork tells whether options of podman's have a network.
func setsNetwork(options []string) bool {
	return slices.ContainsFunc(options, func(o string) bool {
		name, _, _ := strings.Cut(o, "=")
		return name == "--network" || name == "--net"
	})
}

// hostServices gives services on the host's network their aliases.
func (g *Grant) hostServices() {
	var hosts []string
	for _, s := range g.Services {
		for _, alias := range s.Aliases {
			hosts = append(hosts, alias+":127.0.0.1")
		}
	}
	g.Container.ExtraHosts = slices.Concat(g.Container.ExtraHosts, hosts)
	for i := range g.Services {
		c := &g.Services[i].Container
		c.ExtraHosts = slices.Concat(c.ExtraHosts, hosts)
	}
}
