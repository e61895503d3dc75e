package main

import (
	"fmt"
	"slices"
	"strings"

	"podman-executor/internal/driver"
	"podman-executor/internal/step"
	"podman-executor/pkg/policy"
)

// customPrefix is what the runner puts before the name of each job variable.
const customPrefix = "CUSTOM_ENV_"

// jacamarVolumes is the prefix that Jacamar's documentation shows: jobs that
// use it on a runner without user volumes are told so.
const jacamarVolumes = "USER_VOLUMES"

// request parses what the job asks for. The image and its keywords come from
// the job response; the volumes are the job author's to choose anyway, and are
// taken, with their variables expanded, from the environment.
func (s *preparation) request() (policy.Request, error) {
	image := s.job.Image
	user, platform, err := s.expandedWords("image", image)
	if err != nil {
		return policy.Request{}, err
	}
	r := policy.Request{
		Image: image.Name, Entrypoint: image.Entrypoint, PullPolicies: image.PullPolicies,
		User: user, Platform: platform,
		Reserved: []string{s.builds, s.cache, step.Dir},
	}
	if r.Services, err = s.serviceRequests(); err != nil {
		return r, err
	}
	r.Limits = s.limitRequest()
	if name := s.policy.General.Podman.SchedulerVariable; name != "" {
		r.LauncherOptions = strings.Fields(s.expanded(name))
	}
	if s.job.GitHost != "" {
		r.ReservedAliases = []string{strings.ToLower(s.job.GitHost)}
	}
	prefix := s.policy.General.Podman.UserVolumeVariable
	if prefix == "" {
		if len(s.volumeVariables(jacamarVolumes)) > 0 {
			s.call.Warn("%s is ignored: the policy of this runner has no user_volume_variable", jacamarVolumes)
		}
		return r, nil
	}
	return r, s.volumeRequests(&r, s.volumeVariables(prefix))
}

// volumeRequests adds the volumes that variables ask for. Where there are none, nothing is
// looked at.
func (s *preparation) volumeRequests(r *policy.Request, variables []variable) error {
	var volumes []policy.UserVolume
	for _, v := range variables {
		volume, err := policy.ParseUserVolume(v.name, v.value)
		if err != nil {
			return &driver.Refusal{Err: fmt.Errorf("%s: %w", policy.ShownVariable(v.name), err), Hint: "write it as SRC:DST or SRC:DST:ro, both absolute paths"}
		}
		volumes = append(volumes, volume)
	}
	if len(volumes) == 0 {
		return nil
	}
	sources, err := s.lookAtSources()
	if err != nil {
		return err
	}
	for _, v := range volumes {
		r.Volumes = append(r.Volumes, sources.resolve(v))
	}
	return nil
}

type variable struct{ name, value string }

// volumeVariables returns the job's variables with that name, or with the name,
// `_` and a suffix, in the order of their names; of two with one name the last
// counts, as in a process's environment.
func (s *preparation) volumeVariables(prefix string) []variable {
	values := map[string]string{}
	for _, entry := range s.call.Environ {
		name, value, _ := strings.Cut(entry, "=")
		name, ok := strings.CutPrefix(name, customPrefix)
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
