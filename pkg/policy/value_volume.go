package policy

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// maxVolumeValue bounds the value of one volume variable, in bytes: two paths
// of PATH_MAX.
const maxVolumeValue = 2 * 4096

// UserVolume is a mount that a job asks for: SRC:DST[:OPTS].
type UserVolume struct {
	// Variable is the CI variable that asks, see [ShownVariable].
	Variable    string
	Source      string
	Destination string
	Options     []string
}

// ParseUserVolume parses the value of a volume variable. It checks what does not depend on
// the policy: the form, absolute paths, no control characters.
func ParseUserVolume(variable, value string) (UserVolume, error) {
	if len(value) > maxVolumeValue {
		return UserVolume{}, fmt.Errorf("longer than %d bytes", maxVolumeValue)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return UserVolume{}, errors.New("contains a control character")
	}
	parts := strings.Split(value, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return UserVolume{}, errors.New("want SRC:DST or SRC:DST:OPTS")
	}
	v := UserVolume{Variable: ShownVariable(variable), Source: parts[0], Destination: parts[1]}
	if !path.IsAbs(v.Source) {
		return UserVolume{}, errors.New("the source must be an absolute path on the host; jobs cannot mount named volumes")
	}
	if !path.IsAbs(v.Destination) || path.Clean(v.Destination) != v.Destination {
		return UserVolume{}, errors.New("the destination must be a clean absolute path in the container")
	}
	if v.Destination == "/" {
		return UserVolume{}, errors.New("the destination cannot be the container's root")
	}
	if len(parts) == 3 {
		v.Options = strings.Split(parts[2], ",")
	}
	return v, nil
}

// ContainerVolume is a mount that the policy gives to every job.
type ContainerVolume struct {
	// Source is a path of the host, or the name of a podman volume that all
	// projects share. Empty: each project has its own volume.
	Source, Destination string
	// Options are podman's, separated by commas.
	Options string
}

// ContainerVolumes are the mounts of `volumes`.
type ContainerVolumes []ContainerVolume

// read takes a list of volumes.
func (vs *ContainerVolumes) read(value any) []string {
	return eachString(value, func(s string) error {
		v, err := parseContainerVolume(s)
		*vs = append(*vs, v)
		return err
	})
}

// OwnByProject returns the destinations of the volumes that each project has for itself.
func (vs ContainerVolumes) OwnByProject() []string {
	var list []string
	for _, v := range vs {
		if v.Source == "" {
			list = append(list, v.Destination)
		}
	}
	return list
}

// Destinations returns the paths in the container.
func (vs ContainerVolumes) Destinations() []string {
	list := make([]string, len(vs))
	for i, v := range vs {
		list[i] = v.Destination
	}
	return list
}

// String returns the volume as it stands in a policy, and on podman's command
// line.
func (v ContainerVolume) String() string {
	words := []string{v.Source, v.Destination, v.Options}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), ":")
}

var (
	// volumeName is what podman takes for the name of a volume
	// (containers/podman libpod/define/config.go, NameRegex).
	volumeName = regexp.MustCompile(`\A[a-zA-Z0-9][a-zA-Z0-9_.-]*\z`)
	// volumeOptions are words such as "ro,z" or "idmap=uids=0-1-10".
	volumeOptions = regexp.MustCompile(`\A[A-Za-z0-9_=/.@#-]+(,[A-Za-z0-9_=/.@#-]+)*\z`)
)

// parseContainerVolume reads SOURCE:DESTINATION[:OPTIONS], or a destination alone.
func parseContainerVolume(s string) (ContainerVolume, error) {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return ContainerVolume{}, errors.New("contains a control character")
	}
	parts := strings.Split(s, ":")
	v := ContainerVolume{Destination: parts[0]}
	switch len(parts) {
	case 3:
		v.Source, v.Destination, v.Options = parts[0], parts[1], parts[2]
		if !volumeOptions.MatchString(v.Options) {
			return ContainerVolume{}, errors.New("want options separated by commas after the second colon")
		}
	case 2:
		v.Source, v.Destination = parts[0], parts[1]
	case 1:
	default:
		return ContainerVolume{}, errors.New("want SOURCE:DESTINATION, SOURCE:DESTINATION:OPTIONS or a DESTINATION alone")
	}
	switch {
	case len(parts) > 1 && !(path.IsAbs(v.Source) && path.Clean(v.Source) == v.Source) && !volumeName.MatchString(v.Source):
		return ContainerVolume{}, errors.New("the source must be a clean absolute path on the host, or the name of a podman volume")
	case !path.IsAbs(v.Destination) || path.Clean(v.Destination) != v.Destination || v.Destination == "/":
		return ContainerVolume{}, errors.New("the destination must be a clean absolute path in the container below /")
	case strings.HasPrefix(v.Source, ownVolumes):
		return ContainerVolume{}, errors.New("volumes with names that begin with " + ownVolumes + " are reserved for the driver")
	}
	return v, nil
}

// ownVolumes is the prefix of the names of projects' volumes (internal/job, VolumeName).
const ownVolumes = "podman-executor-"

// hasPath reports whether the source of a volume is a path of the host.
func (vs ContainerVolumes) hasPath() bool {
	return slices.ContainsFunc(vs, func(v ContainerVolume) bool { return strings.HasPrefix(v.Source, "/") })
}

// within reports whether a clean path is one of the roots, or is below one.
func within(p string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		below, ok := strings.CutPrefix(p, strings.TrimSuffix(root, "/"))
		return p == root || ok && strings.HasPrefix(below, "/")
	})
}
