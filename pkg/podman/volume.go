package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// EnsureVolume makes sure that a named volume exists. A new one gets the
// labels; one that exists stays as it is.
func (p *Podman) EnsureVolume(ctx context.Context, name string, labels map[string]string) error {
	if _, err := p.Output(ctx, "volume", "exists", name); err == nil || !isExit(err, 1) {
		return err
	}
	args := []string{"volume", "create"}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		args = append(args, "--label", k+"="+labels[k])
	}
	_, err := p.Output(ctx, append(args, "--", name)...)
	if isExit(err, ExitPodman) && strings.Contains(err.Error(), "already exists") {
		// Another job of the same project made it in between.
		return nil
	}
	return err
}

// Volume is one line of `podman volume ls`.
type Volume struct {
	Name       string            `json:"Name"`
	Mountpoint string            `json:"Mountpoint"`
	Labels     map[string]string `json:"Labels"`
}

// Volumes lists the volumes that a filter selects, such as "label=KEY", or
// "dangling=true" for those that no container has. It is one filter: of several,
// podman 4.3.1 lists what any of them selects.
func (p *Podman) Volumes(ctx context.Context, filter string) ([]Volume, error) {
	out, err := p.list(ctx, "volume", "ls", "--filter", filter, "--format", "json")
	if err != nil {
		return nil, err
	}
	var list []Volume
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("podman volume ls: reading its answer: %w", err)
	}
	return list, nil
}

// ErrVolumeInUse is the error of a volume that a container has, running or not.
var ErrVolumeInUse = errors.New("the volume is in use")

// RemoveVolume removes a volume that no container has: podman itself looks, under
// its lock. One that does not exist is no error. It may take as long as it does:
// podman forgets a volume before it removes the files (libpod/runtime_volume_linux.go,
// removeVolume), and would leave them where it is stopped.
func (p *Podman) RemoveVolume(ctx context.Context, name string) error {
	patient := *p
	patient.Timeouts = Timeouts{}
	_, err := patient.Output(ctx, "volume", "rm", "--", name)
	switch {
	case isExit(err, 2):
		return ErrVolumeInUse
	case isExit(err, 1) && strings.Contains(err.Error(), "no such volume"):
		return nil
	}
	return err
}
