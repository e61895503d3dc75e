package podman

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// State is what podman knows about the latest run of a container.
type State struct {
	// Status is podman's word, such as "created", "running" or "exited".
	Status    string
	ExitCode  int
	OOMKilled bool
	StartedAt time.Time
}

// stateFormat leaves out, among others, the output of health checks.
const stateFormat = `{"Status": {{json .State.Status}}, "ExitCode": {{.State.ExitCode}}, "OOMKilled": {{.State.OOMKilled}}, "StartedAt": {{json .State.StartedAt}}}`

// State returns what podman knows of a container's latest run.
func (p *Podman) State(ctx context.Context, name string) (State, error) {
	out, err := p.Output(ctx, "container", "inspect", "--format", stateFormat, "--", name)
	if err != nil {
		return State{}, err
	}
	var s State
	if err := json.Unmarshal(out, &s); err != nil {
		return State{}, fmt.Errorf("podman container inspect: reading its output: %w", err)
	}
	return s, nil
}

// Managed returns the ID of the container of that name, if it has the label; otherwise an empty string.
func (p *Podman) Managed(ctx context.Context, name, label string) (string, error) {
	format := "{{if index .Config.Labels " + strconv.Quote(label) + "}}{{.ID}}{{end}}"
	out, err := p.Output(ctx, "container", "inspect", "--format", format, "--", name)
	if NoSuchContainer(err) {
		return "", nil
	}
	return strings.TrimSpace(string(out)), err
}

// PIDs returns the process ids of containers' first processes, by container name, on the
// machine that the containers run on. The id is 0 for a container that does not run. Containers
// that do not exist are left out.
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

// inspectContainers returns a field of each container, by container name. Containers that do
// not exist are left out, without an error.
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
