// Package request reads what a job asks for, for the policy to decide: from the job
// response, from variables that the job's author may set, and from what the host's file
// system says about the sources of volumes. It runs no program.
package request

import (
	"fmt"
	"slices"
	"strings"

	"podman-executor/internal/job"
	"podman-executor/internal/source"
	"podman-executor/pkg/policy"
)

// Prefix is what the runner puts before the name of each job variable.
const Prefix = "CUSTOM_ENV_"

// jacamarVolumes is the prefix that Jacamar's documentation shows: jobs that
// use it on a runner without user volumes are told so.
const jacamarVolumes = "USER_VOLUMES"

// Facts are what a request is read from.
type Facts struct {
	Job    *job.Job
	Policy *policy.Policy
	// Environ is the environment that the runner has set, NAME=value. It has the job's
	// variables, expanded.
	Environ []string
	// Reserved are the driver's mount points in the containers.
	Reserved []string
	// Private returns what no volume may show. It is called only if the job asks for
	// volumes.
	Private func() []source.Place
}

// Error is a request that cannot be read. The job's author can change it.
type Error struct {
	Err  error
	hint string
}

// Error returns what is wrong with which part of the request.
func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Hint returns what the job's author can do.
func (e *Error) Hint() string { return e.hint }

// Of returns what the job asks for, and notices for the job log. The image and its keywords
// come from the job response; the volumes, which the job's author may choose anyway, come from
// the environment, with their variables expanded.
//
// A request that cannot be read is an *[Error]; any other error is a failure of this machine.
func Of(f Facts) (r policy.Request, notices []string, err error) {
	image, pm := f.Job.Image, f.Policy.General.Podman
	user, platform, err := f.expandedWords("image", image)
	if err != nil {
		return r, nil, err
	}
	r = policy.Request{
		Image: image.Name, Entrypoint: image.Entrypoint, PullPolicies: image.PullPolicies,
		User: user, Platform: platform, Reserved: f.Reserved, Limits: f.limits(),
	}
	if r.Services, err = f.services(); err != nil {
		return r, nil, err
	}
	if pm.SchedulerVariable != "" {
		r.LauncherOptions = strings.Fields(f.variable(pm.SchedulerVariable))
	}
	if f.Job.GitHost != "" {
		r.ReservedAliases = []string{strings.ToLower(f.Job.GitHost)}
	}
	if pm.UserVolumeVariable == "" {
		if len(f.volumeVariables(jacamarVolumes)) > 0 {
			notices = append(notices, jacamarVolumes+" is ignored: the policy of this runner has no user_volume_variable")
		}
		return r, notices, nil
	}
	r.Volumes, err = f.volumes(f.volumeVariables(pm.UserVolumeVariable))
	return r, nil, err
}

// variable returns a variable of the job as the runner has expanded it. If two have the same
// name, the last one wins, as in a process's environment.
func (f Facts) variable(name string) string {
	for _, entry := range slices.Backward(f.Environ) {
		if value, ok := strings.CutPrefix(entry, Prefix+name+"="); ok {
			return value
		}
	}
	return ""
}

// limits returns the limits that the job's variables ask for. The author may choose them.
func (f Facts) limits() policy.LimitRequest {
	return policy.LimitRequest{
		CPUs:       f.variable("PODMAN_CPUS"),
		Memory:     f.variable("PODMAN_MEMORY"),
		MemorySwap: f.variable("PODMAN_MEMORY_SWAP"),
		PIDsLimit:  f.variable("PODMAN_PIDS_LIMIT"),
		ShmSize:    f.variable("PODMAN_SHM_SIZE"),
	}
}

// services returns the services as the job asks for them.
func (f Facts) services() ([]policy.ServiceRequest, error) {
	var list []policy.ServiceRequest
	for _, service := range f.Job.Services {
		user, platform, err := f.expandedWords("services", service.Image)
		if err != nil {
			return nil, err
		}
		list = append(list, policy.ServiceRequest{
			Image: service.Name, Aliases: service.Aliases, DefaultAliases: job.DefaultAliases(service.Name),
			Entrypoint: service.Entrypoint, Command: service.Command, PullPolicies: service.PullPolicies,
			User: user, Platform: platform,
		})
	}
	return list, nil
}

// longestWord bounds the user and the platform of an image, in bytes, with their variables
// expanded.
const longestWord = 4 << 10

// expandedWords are user and platform of an image with their variables expanded. keyword is
// `image` or `services`.
func (f Facts) expandedWords(keyword string, image job.Image) (user, platform string, err error) {
	expand := func(key, value string) string {
		word, ok := job.Expand(value, longestWord, f.variable)
		if !ok {
			err = &Error{
				Err:  fmt.Errorf("`%s:docker:%s` is longer than %d KiB when its variables are expanded", keyword, key, longestWord>>10),
				hint: "check the variables that it names in .gitlab-ci.yml",
			}
		}
		return word
	}
	user, platform = expand("user", image.User), expand("platform", image.Platform)
	return user, platform, err
}
