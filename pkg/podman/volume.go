package podman

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// NewVolume is a volume that has to be there.
type NewVolume struct {
	Name string
	// Labels are for one that is made; one that exists stays as it is.
	Labels map[string]string
}

// EnsureVolumes makes sure that named volumes exist: with one command where they
// all do, as they do for all jobs of a project but the first.
func (p *Podman) EnsureVolumes(ctx context.Context, volumes ...NewVolume) error {
	if len(volumes) == 0 {
		return nil
	}
	args := []string{"volume", "inspect", "--format", "{{.Name}}", "--"}
	for _, v := range volumes {
		args = append(args, v.Name)
	}
	// podman prints those that are there, and fails if one is not. It also takes
	// a name for the beginning of another one, where only that one is there.
	out, err := p.Output(ctx, args...)
	if err != nil && !volumeUnknown(err) && !stderrHas(err, ambiguousVolume) {
		return err
	}
	there := strings.Fields(string(out))
	for _, v := range volumes {
		if slices.Contains(there, v.Name) {
			continue
		}
		if err := p.makeVolume(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// makeVolume makes a volume, unless another job of the same project has made it
// meanwhile.
func (p *Podman) makeVolume(ctx context.Context, v NewVolume) error {
	o := options{"volume", "create"}
	o.addLabels(v.Labels)
	_, err := p.Output(ctx, append(o, "--", v.Name)...)
	if isExit(err, ExitPodman) && stderrHas(err, volumeThere) {
		return nil
	}
	return err
}

// Volume is one line of `podman volume ls`.
type Volume struct {
	Name, Mountpoint string
	// Labels are those that were asked for.
	Labels map[string]string
}

// Volumes lists the volumes that a filter selects, such as "label=KEY", or
// "dangling=true" for those that no container has, with some of their labels. It is one
// filter: of several, podman 4.3.1 lists what any of them selects.
func (p *Podman) Volumes(ctx context.Context, filter string, labels ...string) ([]Volume, error) {
	format := `{"Name": {{json .Name}}, "Mountpoint": {{json .Mountpoint}}, "Labels": ` + labelsOf(".Labels", labels) + `}`
	rows, err := listed[struct {
		Name, Mountpoint string
		Labels           []string
	}](ctx, p, "volume", "ls", "--filter", filter, "--format", format)
	var list []Volume
	for _, r := range rows {
		list = append(list, Volume{Name: r.Name, Mountpoint: r.Mountpoint, Labels: labelValues(labels, r.Labels)})
	}
	return list, err
}

// ErrVolumeInUse is the error of a volume that a container has, running or not.
var ErrVolumeInUse = errors.New("the volume is in use")

// RemoveVolume removes a volume that no container has: podman itself looks, under
// its lock. One that does not exist is not an error. There is no time
// limit: podman forgets a volume before it removes the files (libpod/runtime_volume_linux.go,
// removeVolume), and would leave them if it were stopped.
func (p *Podman) RemoveVolume(ctx context.Context, name string) error {
	_, err := p.patient().Output(ctx, "volume", "rm", "--", name)
	switch {
	case isExit(err, 2):
		return ErrVolumeInUse
	case isExit(err, 1) && volumeUnknown(err):
		return nil
	}
	return err
}
