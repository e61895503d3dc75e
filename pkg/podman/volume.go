package podman

import (
	"context"
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
