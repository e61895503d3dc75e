package podman

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"podman-executor/internal/process"
)

// CreateNetwork is `podman network create`: a network with DNS for the names of
// its containers.
type CreateNetwork struct {
	Name   string
	Labels map[string]string
	// IPv6 also gives it IPv6 addresses.
	IPv6 bool
	// MTU is the largest packet, in bytes; 0: podman's own.
	MTU int
	// Isolate is the option of that name: IsolateOthers, IsolateAll, or empty for podman's default.
	Isolate string
}

// Args returns the command line.
func (c CreateNetwork) Args() []string {
	args := []string{"network", "create"}
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		args = append(args, "--label", k+"="+c.Labels[k])
	}
	if c.IPv6 {
		args = append(args, "--ipv6")
	}
	if c.MTU > 0 {
		args = append(args, "--opt", "mtu="+strconv.Itoa(c.MTU))
	}
	if c.Isolate != "" {
		args = append(args, "--opt", "isolate="+c.Isolate)
	}
	return append(args, "--", c.Name)
}

// CreateNetwork makes a network.
func (p *Podman) CreateNetwork(ctx context.Context, c CreateNetwork) error {
	_, err := p.Output(ctx, c.Args()...)
	return err
}

// RemoveNetworks removes networks with all containers that are on them. Those that
// do not exist are no error.
func (p *Podman) RemoveNetworks(ctx context.Context, names ...string) error {
	for _, name := range names {
		_, err := p.Output(ctx, "network", "rm", "--force", "--", name)
		if err != nil && !(isExit(err, 1) && stderrHas(err, noSuchNetwork)) {
			return err
		}
	}
	return nil
}

// RemoveUnusedNetwork removes a network that no container is on; of one that is
// used podman's refusal comes back. One that does not exist is not an error.
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
	// Labels are those that were asked for.
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

// StartDetached starts a container and does not wait for its end.
func (p *Podman) StartDetached(ctx context.Context, name string) error {
	_, err := p.Output(ctx, "start", "--", name)
	return err
}

// Logs returns the last lines of what a service has said since a time, both
// streams together.
func (p *Podman) Logs(ctx context.Context, name string, since time.Time, lines int) ([]string, error) {
	args := []string{"logs", "--tail", strconv.Itoa(lines)}
	if !since.IsZero() {
		args = append(args, "--since", since.UTC().Format(time.RFC3339Nano))
	}
	args = append(args, "--", name)
	var said bounded
	cmd := p.command(ctx, args)
	cmd.Stdout, cmd.Stderr = &said, &said
	started := time.Now()
	err := p.ended(process.Run(cmd), args, &tail{})
	p.observe(args, started, err)
	var list []string
	for line := range strings.Lines(said.buffer.String()) {
		list = append(list, strings.TrimRight(line, "\r\n"))
	}
	return list, err
}

// Healthy runs an image's health check in its container.
func (p *Podman) Healthy(ctx context.Context, name string, check HealthCheck) bool {
	if len(check.Test) < 2 {
		return true
	}
	words := check.Test[1:]
	if check.Test[0] == "CMD-SHELL" {
		words = append([]string{"sh", "-c"}, words...)
	}
	_, err := p.Output(ctx, append([]string{"exec", "--", name}, words...)...)
	return err == nil
}

// PIDs returns, by their names, the process ids of running containers' first processes,
// on the machine that the containers run on; 0 for one that does not run. One that does
// not exist is not among them.
func (p *Podman) PIDs(ctx context.Context, names ...string) (map[string]int, error) {
	lines, err := p.inspectContainers(ctx, "{{.State.Pid}}", names)
	pids := make(map[string]int, len(lines))
	for name, text := range lines {
		pid, wrong := strconv.Atoi(text)
		if wrong != nil {
			return nil, fmt.Errorf("podman container inspect: reading its output: %w", wrong)
		}
		pids[name] = pid
	}
	return pids, err
}

// Addresses returns the addresses of a running container on its networks.
func (p *Podman) Addresses(ctx context.Context, name string) ([]string, error) {
	lines, err := p.inspectContainers(ctx, "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}} {{end}}", []string{name})
	return strings.Fields(lines[name]), err
}

// inspectContainers returns what podman has for a field of each container, by its name.
// Those that do not exist are no error, and not among them.
func (p *Podman) inspectContainers(ctx context.Context, field string, names []string) (map[string]string, error) {
	args := []string{"container", "inspect", "--format", "{{.Name}} " + field, "--"}
	out, err := p.Output(ctx, append(args, names...)...)
	if err != nil && !NoSuchContainer(err) {
		return nil, err
	}
	lines := make(map[string]string, len(names))
	for line := range strings.Lines(string(out)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		lines[name] = rest
	}
	return lines, nil
}
