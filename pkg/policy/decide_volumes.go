package policy

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// VolumeRequest is a user's volume with what the caller found out about its source on the
// host. So the decision itself does not read the file system.
type VolumeRequest struct {
	UserVolume
	// Resolved is the source with all symbolic links resolved. It is empty if the source
	// does not exist.
	Resolved string
	// Missing is the resolved path of a source that does not exist, with its missing parts
	// by their names. Resolved and Missing are both empty if nothing is known.
	Missing string
	// Private reports whether files of the runner, or of other jobs, are at Resolved or
	// Missing. PrivateName reports whether the unresolved source is such a path.
	Private, PrivateName bool
	// Mountable reports whether the source is a directory or a regular file, and not a
	// socket, device or pipe.
	Mountable bool
}

// Mount is a granted volume of the host.
type Mount struct {
	Source      string
	Destination string
	// Options are in a fixed order, the access mode first.
	Options []string
	// Rule is the entry of volume_allow_list that allowed the mount. Variable is the CI
	// variable that asked for it.
	Rule     string
	Variable string
}

func (p *Policy) decideVolumes(r Request, g *Grant) *Denial {
	seen := map[string]string{}
	for _, t := range p.General.Podman.Container.Tmpfs {
		seen[t.Path] = "a tmpfs of the policy"
	}
	reserved := slices.Concat(r.Reserved, p.General.Podman.Container.Volumes.Destinations())
	for _, v := range r.Volumes {
		m, d := p.decideVolume(v, reserved)
		if d != nil {
			return d
		}
		if other, taken := seen[m.Destination]; taken {
			return p.denial(fmt.Sprintf("%s: destination %q", v.Variable, m.Destination), "",
				"already the destination of "+other, "give each volume a different destination")
		}
		seen[m.Destination] = v.Variable
		g.Mounts = append(g.Mounts, m)
	}
	return nil
}

// neverSources cannot be allowed by a rule: they are parts of the host, not data.
var neverSources = []string{"/proc", "/sys", "/dev"}

func isNeverSource(source string) bool { return source == "/" || within(source, neverSources) }

// MayMount reports whether a source with this name can be allowed at all. If not, callers
// need not look at the source.
func (p *Policy) MayMount(source string) bool {
	return len(p.General.Podman.VolumeAllowList) > 0 && !isNeverSource(path.Clean(source))
}

// Reaches reports whether an entry of volume_allow_list may match a path, or one below it.
// It compares the path with the literal text at the beginning of each entry.
func (p *Policy) Reaches(name string) bool {
	for i := range p.General.Podman.VolumeAllowList {
		prefix := p.General.Podman.VolumeAllowList[i].prefix()
		if strings.HasPrefix(name, prefix) || within(prefix, []string{name}) {
			return true
		}
	}
	return false
}

// neverDestinations would hide files that podman, or the accounts in the container, need.
// The driver's mount points are in the request.
var neverDestinations = []string{
	"/proc", "/sys", "/dev", "/etc/passwd", "/etc/group", "/etc/shadow",
	"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv",
}

// decideVolume decides on one mount.
func (p *Policy) decideVolume(v VolumeRequest, reserved []string) (Mount, *Denial) {
	const key = "general.podman.volume_allow_list"
	pm := p.General.Podman
	subject := fmt.Sprintf("%s: volume %q", v.Variable, truncate(v.Source, 200)+":"+truncate(v.Destination, 200))
	source := path.Clean(v.Source)
	if isNeverSource(source) {
		return Mount{}, p.denial(subject, "", fmt.Sprintf("%q can never be mounted", truncate(source, 200)), "mount a directory that contains only data")
	}
	if len(pm.VolumeAllowList) == 0 {
		return Mount{}, p.denial(subject, key, "the policy has no volume_allow_list, so no user volume is allowed",
			fmt.Sprintf("the administrator can allow it with a line such as volume_allow_list = [%q] under [general.podman] in %s",
				regexp.QuoteMeta(source)+"(/.*)?", p.file))
	}
	end := cmp.Or(v.Resolved, v.Missing)
	rule, allowed := match(pm.VolumeAllowList, end)
	_, named := match(pm.VolumeAllowList, source)
	switch {
	case named && v.PrivateName, end != "" && allowed && v.Private:
		// This comes before the cases below: they show whether the source exists, which
		// is private as well.
		return Mount{}, p.denial(subject, key, "this runner keeps its own files, or those of other jobs, there", "mount a directory that contains only data")
	case end == "" || !allowed:
		// The denial must not show where a link leads, or whether the source exists:
		// otherwise a job could find out about the host's files one by one.
		return Mount{}, p.denial(subject, key, "no entry of volume_allow_list matches the source with its symbolic links resolved", "")
	case end == "/" || within(end, neverSources):
		return Mount{}, p.denial(subject, "", fmt.Sprintf("%q can never be mounted", truncate(source, 200)), "mount a directory that contains only data")
	case v.Resolved == "":
		return Mount{}, p.denial(subject, key, "the source does not exist on this host", "check the path, or ask the administrator")
	case strings.ContainsAny(v.Resolved, ":\n"):
		return Mount{}, p.denial(subject, key, "the resolved path of the source contains a colon or a newline", "rename it on the host")
	case p.changeable(v.Resolved) != "":
		return Mount{}, p.denial(subject, key, fmt.Sprintf("jobs can also mount %q and so replace the source", p.changeable(v.Resolved)),
			"with service_url, a source cannot be pinned: the administrator can allow only one of the two, or mount volumes read-only (volumes.read_only)")
	case !v.Mountable:
		return Mount{}, p.denial(subject, key, "the source is neither a directory nor a regular file", "jobs cannot mount sockets, devices or pipes")
	}
	if d := p.decideDestination(subject, v.Destination, reserved); d != nil {
		return Mount{}, d
	}
	options, d := p.decideMountOptions(subject, v.Options)
	if d != nil {
		return Mount{}, d
	}
	return Mount{Source: v.Resolved, Destination: v.Destination, Options: options, Rule: rule.Expression, Variable: v.Variable}, nil
}

// changeable returns a directory above a source if a job can mount the directory for
// writing: the job could replace the source before podman mounts it for another job. It
// returns an empty string where sources are pinned: podman on this machine mounts what was
// checked, even if something else has its path now. A podman service mounts by path.
func (p *Policy) changeable(source string) string {
	if pm := p.General.Podman; !pm.UsesEndpoint() || pm.Volumes.ReadOnly {
		return ""
	}
	return p.mountableAbove(source)
}

// mountableAbove returns a directory above a path that jobs can mount.
func (p *Policy) mountableAbove(source string) string {
	for dir := path.Dir(source); dir != "/" && dir != "."; dir = path.Dir(dir) {
		if _, ok := match(p.General.Podman.VolumeAllowList, dir); ok {
			return dir
		}
	}
	return ""
}

// decideDestination refuses mount points below or above those of the driver and podman.
func (p *Policy) decideDestination(subject, destination string, reserved []string) *Denial {
	for _, r := range slices.Concat(reserved, neverDestinations) {
		if within(destination, []string{r}) || within(r, []string{destination}) {
			return p.denial(subject, "", fmt.Sprintf("the destination %q conflicts with %s", destination, r), "choose another destination, such as /data")
		}
	}
	return nil
}

// decideMountOptions returns the options in a fixed order, with the access mode first.
func (p *Policy) decideMountOptions(subject string, asked []string) ([]string, *Denial) {
	volumes := p.General.Podman.Volumes
	modes := []string{"ro", "rw"}
	if volumes.ReadOnly {
		modes = modes[:1]
	}
	mode := ""
	var others []string
	for _, o := range asked {
		switch {
		case (o == "ro" || o == "rw") && (mode == "" || mode == o):
			mode = o
		case o == "ro" || o == "rw":
			return nil, p.denial(subject, "", "both ro and rw are requested", "keep one of them")
		case slices.Contains(volumes.AllowedOptions, o):
			others = append(others, o)
		default:
			return nil, p.denial(subject, "general.podman.volumes.allowed_options",
				fmt.Sprintf("the mount option %q is not allowed", truncate(o, 40)),
				"the allowed options are "+strings.Join(slices.Concat(modes, volumes.AllowedOptions), ", "))
		}
	}
	if volumes.ReadOnly {
		if mode == "rw" {
			return nil, p.denial(subject, "general.podman.volumes.read_only", "user volumes are read-only on this runner", "write ro instead of rw")
		}
		mode = "ro"
	}
	if mode == "" {
		mode = "rw"
	}
	slices.Sort(others)
	return append([]string{mode}, slices.Compact(others)...), nil
}
