package podman

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// NewVolume is a volume that must exist.
type NewVolume struct {
	Name string
	// Labels are for a volume that is created; an existing one stays as it is.
	Labels map[string]string
}

// EnsureVolumes makes sure that named volumes exist. If they all do, as for all jobs of a
// project but the first, that takes one command.
func (p *Podman) EnsureVolumes(ctx context.Context, volumes ...NewVolume) error {
	if len(volumes) == 0 {
		return nil
	}
	args := []string{"volume", "inspect", "--format", "{{.Name}}", "--"}
	for _, v := range volumes {
		args = append(args, v.Name)
	}
	// podman prints those that exist, and fails if one does not. It also accepts the beginning
	// of a volume's name, if only one volume's name begins with it.
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
	// Labels are the requested ones.
	Labels map[string]string
}

// Volumes lists the volumes that a filter selects, such as "label=KEY", or "dangling=true" for
// those that no container uses, with some of their labels. It takes only one filter: with
// several, podman 4.3.1 lists what any of them selects.
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

// ErrVolumeInUse is the error of a volume that a container uses, running or not.
var ErrVolumeInUse = errors.New("the volume is in use")

// RemoveVolume removes a volume, unless a container uses it: podman itself checks that, under
// its lock. A volume that does not exist is not an error. There is no time limit: podman
// forgets a volume before it removes the files (libpod/runtime_volume_linux.go, removeVolume),
// and would leave them behind if it were stopped.
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
