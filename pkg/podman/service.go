package podman

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CreateNetwork is `podman network create`: a network with DNS for the names of
// its containers.
type CreateNetwork struct {
	Name   string
	Labels map[string]string
	// IPv6 gives it addresses of IPv6, too.
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

// RemoveNetworks removes networks with whatever containers are on them. Those that
// do not exist are no error.
func (p *Podman) RemoveNetworks(ctx context.Context, names ...string) error {
	for _, name := range names {
		_, err := p.Output(ctx, "network", "rm", "--force", "--", name)
		if err != nil && !(isExit(err, 1) && strings.Contains(err.Error(), "network not found")) {
			return err
		}
	}
	return nil
}

// RemoveUnusedNetwork removes a network that no container is on; of one that is
// used podman's refusal comes back. One that does not exist is no error.
func (p *Podman) RemoveUnusedNetwork(ctx context.Context, name string) error {
	_, err := p.Output(ctx, "network", "rm", "--", name)
	if isExit(err, 1) && strings.Contains(err.Error(), "network not found") {
		return nil
	}
	return err
}

// Network is one line of `podman network ls`.
type Network struct {
	Name    string            `json:"name"`
	Labels  map[string]string `json:"labels"`
	Created time.Time         `json:"created"`
}

// Networks lists the networks that have a label, `KEY` or `KEY=VALUE`.
func (p *Podman) Networks(ctx context.Context, label string) ([]Network, error) {
	out, err := p.list(ctx, "network", "ls", "--filter", "label="+label, "--format", "json")
	if err != nil {
		return nil, err
	}
	var list []Network
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("podman network ls: reading its answer: %w", err)
	}
	return list, nil
}

// CreateWithEnv is [Podman.Create] with variables in podman's own environment,
// for those of EnvNames: their values are on no command line.
func (p *Podman) CreateWithEnv(ctx context.Context, c Create, env []string) (string, error) {
	with := *p
	with.Env = slices.Concat(p.Env, env)
	return with.Create(ctx, c)
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
	err := p.ended(execute(cmd), args, &tail{})
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

// PID returns the process id of a running container's first process, on the
// machine that the container runs on; 0 where it does not run.
func (p *Podman) PID(ctx context.Context, name string) (int, error) {
	out, err := p.Output(ctx, "container", "inspect", "--format", "{{.State.Pid}}", "--", name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(out)))
}

// Addresses returns the addresses of a running container on its networks.
func (p *Podman) Addresses(ctx context.Context, name string) ([]string, error) {
	out, err := p.Output(ctx, "container", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", "--", name)
	return strings.Fields(string(out)), err
}

// Listening tells whether a process in a running container, which has that PID,
// listens on one of the TCP ports, on an address that other containers reach. It
// looks at the kernel's tables of the container's network namespace (proc(5),
// /proc/PID/net/tcp), by podman exec where the container is on another machine.
func (p *Podman) Listening(ctx context.Context, name string, pid int, ports []int) bool {
	if p.Elsewhere {
		out, err := p.Output(ctx, "exec", "--", name, "cat", "/proc/net/tcp", "/proc/net/tcp6")
		return err == nil && listening(out, ports)
	}
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err == nil && listening(text, ports) {
			return true
		}
	}
	return false
}

// listening reads tables of sockets: the second field is ADDRESS:PORT in
// hexadecimal, the fourth the state, 0A for one that listens.
func listening(tables []byte, ports []int) bool {
	for lines := bufio.NewScanner(bytes.NewReader(tables)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != "0A" {
			continue
		}
		address, hex, _ := strings.Cut(fields[1], ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		if err == nil && !isLoopback(address) && slices.Contains(ports, int(port)) {
			return true
		}
	}
	return false
}

// isLoopback knows 127.0.0.0/8, alone and mapped into IPv6, as programs in Java
// listen, and ::1. The kernel prints an address as words of the machine's byte order.
func isLoopback(address string) bool {
	address = strings.TrimPrefix(address, "0000000000000000FFFF0000")
	return len(address) == 8 && strings.HasSuffix(address, "7F") || address == "00000000000000000000000001000000"
}
