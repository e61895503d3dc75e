// Package spec turns the decisions about a job into the plan, and into the command lines for
// the job's network, volumes and containers. It only computes values: nothing here runs a
// command or waits for anything.
package spec

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"podman-executor/internal/containersconf"
	"podman-executor/internal/job"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/plan"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// Grace is how long a script may take to end after SIGTERM. Cancel, kill and cleanup together
// stay below the 10 s that a cancelled job may take.
const Grace = 4 * time.Second

// Facts are what the plan and the containers of a job are derived from. They are never
// modified.
type Facts struct {
	Job    *job.Job
	Policy *policy.Policy
	Grant  policy.Grant
	// Runner is the runner's process, RunnerProgram the gitlab-runner of this host for steps on
	// the host; empty if there is none.
	Runner        job.Process
	RunnerProgram string
	// Attempt is the runner's directory for this attempt at the job.
	Attempt string
	// Dirs are the parent directories of jobs' directories.
	Dirs leftovers.Roots
	// Podman is the podman that the job gets.
	Podman plan.Podman
	// Defaults are that podman's defaults. They are not known for a podman on another machine.
	Defaults containersconf.Defaults
	// SameHost are the names of GitLab that lead to this machine, and Gateway is the address by
	// which containers reach it, as `--add-host` takes it.
	SameHost []string
	Gateway  string
	// Variable returns a variable of the job as the runner has expanded it.
	Variable func(string) string
	// UID is this process's user.
	UID int
	// Now is the time for all labels.
	Now time.Time
}

// Data returns where the job's builds and cache are.
func (f Facts) Data() job.Data {
	return f.Job.Data(f.Policy.General.DataDir, f.Policy.General.Podman.StepScriptOnly)
}

// Launches reports whether the author's steps run behind a launcher.
func (f Facts) Launches() bool { return len(f.Policy.General.Podman.Launcher) > 0 }

// LaunchParent returns the parent, below data_dir, of the directories of all launched jobs.
func (f Facts) LaunchParent() string {
	return filepath.Join(f.Policy.General.DataDir, ".podman-executor")
}

// LaunchDir returns the job's directory that is shared with the machine where its steps run;
// empty for a job that is not launched.
func (f Facts) LaunchDir() string {
	if !f.Launches() {
		return ""
	}
	return filepath.Join(f.LaunchParent(), f.Job.Name("launch"))
}

// Plan returns what run and cleanup need to know, and what the containers are called.
func Plan(f Facts) plan.Plan {
	pm := f.Policy.General.Podman
	p := plan.Plan{
		JobID: f.Job.ID, ProjectID: f.Job.ProjectID,
		Podman:        f.Podman,
		UserContainer: f.Job.Name("user"),
		AuthDir:       filepath.Join(f.Dirs.RuntimeDir, filepath.Base(f.Attempt)),
		Keep:          pm.DisableContainerRemoval,
		Grace:         Grace,
		Log:           LogOf(f.Policy),
		Sources:       sources(f),
		ShowServices:  f.Variable("CI_DEBUG_SERVICES") == "true",
		DefaultImage:  f.Grant.DefaultImage,
	}
	if !pm.StepScriptOnly {
		p.RunnerContainer = f.Job.Name("runner")
	}
	if len(f.Grant.Mounts) > 0 && f.Podman.URL == "" {
		p.PinDir = filepath.Join(f.Dirs.PinParent(), filepath.Base(f.Attempt))
	}
	if len(f.Grant.Services) > 0 {
		p.SecretsDir = filepath.Join(f.Dirs.SecretsDir, f.Job.Name("secrets"))
	}
	if f.Grant.Network.Own {
		p.Network = f.Job.Name("network")
	}
	for i, service := range f.Grant.Services {
		p.Services = append(p.Services, plan.Service{Container: f.Job.Name("service-" + strconv.Itoa(i)), Alias: service.Aliases[0]})
	}
	if pm.StepScriptOnly {
		p.HostDir, p.HostEnv = f.Policy.General.DataDir, hostEnv(f.Podman.Env, f.RunnerProgram)
	}
	p.StepsDirs, p.Memory = stepsDirs(f, p), memory(f, p)
	return p
}

// LogOf returns where the policy wants the administrator's log.
func LogOf(p *policy.Policy) plan.Log {
	return plan.Log{File: p.General.LogFile, Level: p.General.LogLevel, Format: p.General.LogFormat}
}

// stays reports whether the job's containers stay from step to step. That does not work with a
// podman on another machine, which has other files, or with a runtime that may have another
// kernel, which pipes do not reach.
func stays(f Facts) bool {
	pm := f.Policy.General.Podman
	ofRuntime := func(option string) bool { return strings.HasPrefix(option, "--runtime") }
	otherRuntime := f.Grant.RunnerContainer.Runtime != "" || f.Grant.Container.Runtime != "" || f.Defaults.OtherKernel() != "" ||
		slices.ContainsFunc(slices.Concat(pm.RunnerOptions, pm.CustomOptions), ofRuntime)
	return !pm.StartPerStep && f.Podman.URL == "" && !otherRuntime && !f.Launches()
}

// stepsDirs returns the directories through which the job's containers get their steps.
func stepsDirs(f Facts, p plan.Plan) map[string]string {
	if !stays(f) {
		return nil
	}
	dirs := map[string]string{p.UserContainer: filepath.Join(p.AuthDir, "steps", "user")}
	if p.RunnerContainer != "" {
		dirs[p.RunnerContainer] = filepath.Join(p.AuthDir, "steps", "runner")
	}
	return dirs
}

// memory returns the memory limits that run reports when containers run out of memory.
func memory(f Facts, p plan.Plan) map[string]plan.Memory {
	limits := map[string]plan.Memory{}
	if m := f.Grant.Container.Memory; m > 0 {
		limits[p.UserContainer] = plan.Memory{Limit: m.String(), More: f.Policy.MoreMemory(m)}
	}
	if m := f.Grant.RunnerContainer.Memory; m > 0 && p.RunnerContainer != "" {
		limits[p.RunnerContainer] = plan.Memory{Limit: m.String(), More: f.Policy.MoreMemory(policy.Unlimited)}
	}
	return limits
}

// hostEnv returns the environment of steps on the host: podman's, with the directory of a
// gitlab-runner prepended to PATH.
func hostEnv(env []string, runner string) []string {
	if filepath.Base(runner) != "gitlab-runner" {
		return env
	}
	env = slices.Clone(env)
	for i, v := range env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			env[i] = "PATH=" + filepath.Dir(runner) + ":" + path
		}
	}
	return env
}

// sources returns where the job's sources are, and what the runner does with them, from the
// variables that the runner itself uses (gitlab-runner common/build.go:2228).
func sources(f Facts) step.Sources {
	submodules := f.Variable("GIT_SUBMODULE_STRATEGY")
	return step.Sources{
		Root: f.Data().Builds.At, Project: f.Job.ProjectDir,
		KeepUmask:  keepsUmask(f),
		Kept:       f.Variable("GIT_STRATEGY") == "none",
		Submodules: submodules == "normal" || submodules == "recursive",
	}
}

// keepsUmask reports whether the job wants its files to belong to the image's user, instead of
// being writable for everybody. The runner has resolved the flag, which config.toml may also set
// (gitlab-runner common/build.go:2024).
func keepsUmask(f Facts) bool {
	on, err := strconv.ParseBool(f.Variable("FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR"))
	return on && err == nil && !f.Policy.General.Podman.StepScriptOnly
}

// GivesProject reports whether the job's files are to belong to the image's user, and the image may
// have one that is not root.
func GivesProject(f Facts, image podman.Image) bool {
	name, _, _ := strings.Cut(user(f, image), ":")
	return keepsUmask(f) && name != "" && name != "0" && name != "root"
}

// Labels returns the labels of one of the job's objects.
func Labels(f Facts, role string) map[string]string {
	labels := f.Job.Labels(role, f.Attempt, f.Runner.String(), f.Now)
	if f.Policy.General.Podman.DisableContainerRemoval {
		job.Keep(labels)
	}
	return labels
}

// Network returns the job's own network, and whether it has one. isolate is the option's value
// that isolates it from those of other jobs.
func Network(f Facts, p plan.Plan, isolate string) (podman.CreateNetwork, bool) {
	pm := f.Policy.General.Podman
	return podman.CreateNetwork{
		Name: p.Network, Labels: Labels(f, "network"), IPv6: pm.EnableIPv6, MTU: pm.NetworkMTU.Value, Isolate: isolate,
	}, p.Network != ""
}

// Volumes returns the volumes that the job needs: those that the policy gives each project, and
// without data_dir those of builds and cache.
func Volumes(f Facts) []podman.NewVolume {
	var volumes []podman.NewVolume
	for _, destination := range projectVolumes(f.Grant) {
		labels := f.Job.VolumeLabels("volume")
		labels[job.LabelDestination] = destination
		volumes = append(volumes, podman.NewVolume{Name: f.Job.VolumeName(job.VolumeRole(destination)), Labels: labels})
	}
	if f.Policy.General.DataDir == "" {
		for _, role := range []string{"builds", "cache"} {
			volumes = append(volumes, podman.NewVolume{Name: f.Job.VolumeName(role), Labels: f.Job.VolumeLabels(role)})
		}
	}
	return volumes
}

// projectVolumes returns the destinations of the volumes that the policy gives each project, in
// any of the job's containers.
func projectVolumes(g policy.Grant) []string {
	list := g.Container.Volumes.OwnByProject()
	for _, service := range g.Services {
		list = append(list, service.Container.Volumes.OwnByProject()...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
