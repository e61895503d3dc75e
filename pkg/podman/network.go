package podman

import (
	"context"
	"strconv"
	"time"
)

// CreateNetwork is `podman network create`, for a network that resolves its containers' names.
type CreateNetwork struct {
	Name   string
	Labels map[string]string
	// IPv6 also gives it IPv6 addresses.
	IPv6 bool
	// MTU is the largest packet, in bytes; 0: podman's own.
	MTU int
	// Isolate is the option isolate: IsolateOthers, IsolateAll, or empty for podman's default.
	Isolate string
}

// Args returns the command line.
func (c CreateNetwork) Args() []string {
	o := options{"network", "create"}
	o.addLabels(c.Labels)
	o.addSwitch("--ipv6", c.IPv6)
	if c.MTU > 0 {
		o.add("--opt", "mtu="+strconv.Itoa(c.MTU))
	}
	if c.Isolate != "" {
		o.add("--opt", "isolate="+c.Isolate)
	}
	return append(o, "--", c.Name)
}

// CreateNetwork makes a network. A name that is taken is an error.
func (p *Podman) CreateNetwork(ctx context.Context, c CreateNetwork) error {
	_, err := p.Output(ctx, c.Args()...)
	return err
}

// RemoveNetworks removes networks with all containers on them. Networks that do not exist are
// not an error.
func (p *Podman) RemoveNetworks(ctx context.Context, names ...string) error {
	for _, name := range names {
		_, err := p.Output(ctx, "network", "rm", "--force", "--", name)
		if err != nil && !(isExit(err, 1) && stderrHas(err, noSuchNetwork)) {
			return err
		}
	}
	return nil
}

// RemoveUnusedNetwork removes a network. If a container uses it, podman refuses, and its error
// is returned. A network that does not exist is not an error.
func (p *Podman) RemoveUnusedNetwork(ctx context.Context, name string) error {
	_, err := p.Output(ctx, "network", "rm", "--", name)
	if isExit(err, 1) && stderrHas(err, noSuchNetwork) {
		return nil
	}
	return err
}

// Network is one line of `podman network ls`.
type Network struct {
	Name string
	// Labels are the requested ones.
	Labels  map[string]string
	Created time.Time
}

// Networks lists the networks that have a label, `KEY` or `KEY=VALUE`, with some of their
// labels.
func (p *Podman) Networks(ctx context.Context, label string, labels ...string) ([]Network, error) {
	format := `{"Name": {{json .Network.Name}}, "Created": {{json .Network.Created}}, "Labels": ` + labelsOf(".Network.Labels", labels) + `}`
	rows, err := listed[struct {
		Name    string
		Created time.Time
		Labels  []string
	}](ctx, p, "network", "ls", "--filter", "label="+label, "--format", format)
	var list []Network
	for _, r := range rows {
		list = append(list, Network{Name: r.Name, Created: r.Created, Labels: labelValues(labels, r.Labels)})
	}
	return list, err
}
