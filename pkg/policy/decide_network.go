package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Network is how a job's containers are connected.
type Network struct {
	// Own reports whether the job has a private network, with DNS for its services. Mode
	// is empty then.
	Own bool
	// Mode is the `--network` of the user container and of services. Runner is that of the
	// runner container. Empty: podman's default.
	Mode, Runner string
	// Aliases reports whether services get their aliases on the network. They do so only on
	// the job's private network. On a shared one a service could take the name of any host
	// for all other containers.
	Aliases bool
	// Hosts reports whether /etc/hosts of the user container has the aliases and addresses
	// of the services. That of a service has those of the services before it.
	Hosts bool
}

// networkKind is what a network mode means for the services of a job.
type networkKind int

const (
	// bridged is podman's default bridge, which has no DNS, or a policy without the key.
	// Jobs with services get a private network.
	bridged networkKind = iota
	// named is a network of the administrator. Other containers share it.
	named
	// ofHost is the host's network: services are at 127.0.0.1.
	ofHost
	// apart is a network that the job's other containers cannot reach.
	apart
)

// kindOf returns the kind of a network mode (podman-create(1), --network).
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

// decideNetwork connects the job's containers. A `--network` in runner_options or
// custom_options replaces network_mode for that container: podman would take both for two
// networks.
func (p *Policy) decideNetwork(_ Request, g *Grant) *Denial {
	const key = "general.podman.container.network_mode"
	pm := p.General.Podman
	mode := pm.Container.NetworkMode
	kind := kindOf(mode)
	services := len(g.Services) > 0
	if services && kind == apart {
		return p.denial("the job's services", key,
			fmt.Sprintf("with network_mode = %q in the policy of this runner, nothing can reach them", mode),
			"remove `services:` from .gitlab-ci.yml, or use another runner")
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

// setsNetwork reports whether options of podman have a network.
func setsNetwork(options []string) bool {
	return slices.ContainsFunc(options, func(o string) bool {
		name, _, _ := strings.Cut(o, "=")
		return name == "--network" || name == "--net"
	})
}

// hostServices makes the aliases of services on the host's network names of 127.0.0.1.
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
