package request

import (
	"fmt"
	"slices"
	"strings"

	"podman-executor/internal/source"
	"podman-executor/pkg/policy"
)

// volumes returns the volumes that variables ask for. If there are none, it does not look at
// the host.
func (f Facts) volumes(variables []variable) ([]policy.VolumeRequest, error) {
	var volumes []policy.UserVolume
	for _, v := range variables {
		volume, err := policy.ParseUserVolume(v.name, v.value)
		if err != nil {
			return nil, &Error{
				Err:  fmt.Errorf("%s: %w", policy.ShownVariable(v.name), err),
				hint: "write it as SRC:DST or SRC:DST:ro, both absolute paths",
			}
		}
		volumes = append(volumes, volume)
	}
	if len(volumes) == 0 {
		return nil, nil
	}
	host, err := source.Look()
	if err != nil {
		return nil, err
	}
	private := host.Private(f.Private())
	var list []policy.VolumeRequest
	for _, v := range volumes {
		list = append(list, f.resolve(v, host, private))
	}
	return list, nil
}

// resolve looks up the source of a volume in the host's file system.
func (f Facts) resolve(v policy.UserVolume, host *source.Host, private source.Private) policy.VolumeRequest {
	r := policy.VolumeRequest{UserVolume: v}
	if !f.Policy.MayMount(v.Source) {
		return r
	}
	r.PrivateName = private.Names(v.Source)
	path := host.Resolve(v.Source, f.Policy.Reaches)
	if path.Name == "" {
		return r
	}
	r.Private = private.Shows(path.Name)
	if path.Missing {
		r.Missing = path.Name
		return r
	}
	r.Resolved = path.Name
	r.Mountable = path.Info.IsDir() || path.Info.Mode().IsRegular()
	return r
}

type variable struct{ name, value string }

// volumeVariables returns the job's variables with that name, or with the name, `_` and a
// suffix, in the order of their names; if two have the same name, the last one wins, as in a
// process's environment.
func (f Facts) volumeVariables(prefix string) []variable {
	values := map[string]string{}
	for _, entry := range f.Environ {
		name, value, _ := strings.Cut(entry, "=")
		name, ok := strings.CutPrefix(name, Prefix)
		if ok && (name == prefix || strings.HasPrefix(name, prefix+"_")) && value != "" {
			values[name] = value
		}
	}
	var list []variable
	for name, value := range values {
		list = append(list, variable{name, value})
	}
	slices.SortFunc(list, func(a, b variable) int { return natural(a.name, b.name) })
	return list
}

// natural compares names with numbers in them as people do: VOLUMES_2 comes
// before VOLUMES_10.
func natural(a, b string) int {
	for a != "" && b != "" {
		x, y := number(a), number(b)
		if x != "" && y != "" {
			short, long := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(short) != len(long) {
				return len(short) - len(long)
			}
			if c := strings.Compare(short, long); c != 0 {
				return c
			}
			a, b = a[len(x):], b[len(y):]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// number returns the digits that s begins with.
func number(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}
