package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"podman-executor/internal/driver"
	"podman-executor/internal/source"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// sources looks at the sources of a job's volumes.
type sources struct {
	policy  *policy.Policy
	host    *source.Host
	private source.Private
}

// lookAtSources finds out what no user volume may show, whatever volume_allow_list says.
func (s *preparation) lookAtSources() (*sources, error) {
	host, err := source.Look()
	if err != nil {
		return nil, &driver.Fault{Err: err, Todo: "mount /proc where gitlab-runner runs"}
	}
	return &sources{policy: s.policy, host: host, private: host.Private(s.privatePlaces())}, nil
}

// privatePlaces are where other jobs' plans, scripts and auth files lie, podman's files,
// the runner's configuration, what the policy names for the driver itself, and what this
// user runs at its next login. root in a container is this user.
func (s *preparation) privatePlaces() []source.Place {
	g := s.policy.General
	uid := os.Getuid()
	places := slices.Concat(
		source.OfEnvironment(podman.Environment(s.call.Getenv, uid, g.Podman.Environment), uid),
		source.OfEnvironment(s.callersEnvironment(), uid),
		source.OfUser(uid))
	// The runner's directories of all jobs: gitlab-runner
	// executors/custom/custom.go:101.
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(s.attempt), "custom-executor*"))
	names = append(names,
		s.attempt, absolute(s.policy.File()), g.DataDir, g.LogFile, g.Podman.RegistryAuthFile, s.call.StateDir(s.policy),
		g.Podman.Identity, g.Podman.KnownHosts)
	names = append(names, runnerConfig(s.owner.PID)...)
	for _, address := range g.Podman.Endpoints() {
		if socket, ok := strings.CutPrefix(address, "unix://"); ok {
			names = append(names, socket)
		}
	}
	// Who can put another program in such a place runs it on the host.
	programs := []string{g.Podman.ApplicationPath, s.runningProgram()}
	if g.Podman.RunnerBinary != policy.NoRunnerBinary {
		programs = append(programs, g.Podman.RunnerBinary)
	}
	if len(g.Podman.Launcher) > 0 {
		programs = append(programs, g.Podman.Launcher[0])
	}
	if self, err := os.Executable(); err == nil {
		programs = append(programs, self)
	}
	for _, program := range programs {
		if filepath.IsAbs(program) {
			names = append(names, program)
			// Directories beside it may be data.
			places = append(places, source.Place{Path: filepath.Dir(program), Kind: source.Home})
		}
	}
	for _, name := range names {
		places = append(places, source.Place{Path: name})
	}
	return places
}

// callersEnvironment is what counts of this program's own environment: the rest is the
// job's, or the runner's for one call.
func (s *preparation) callersEnvironment() []string {
	var environ []string
	for _, name := range []string{"HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"} {
		if value := s.call.Getenv(name); value != "" {
			environ = append(environ, name+"="+value)
		}
	}
	return environ
}

// runnerConfig returns the config.toml that a running gitlab-runner was given, by an
// option or by its environment (gitlab-runner commands/config.go, CONFIG_FILE), and what
// the runner keeps beside it.
func runnerConfig(pid int) []string {
	withNeighbours := func(name string) []string {
		if !filepath.IsAbs(name) {
			name = filepath.Join(fmt.Sprintf("/proc/%d/cwd", pid), name)
		}
		dir := filepath.Dir(name)
		return []string{name, filepath.Join(dir, ".runner_system_id"), filepath.Join(dir, "certs")}
	}
	var files []string
	words := nulTerminated(fmt.Sprintf("/proc/%d/cmdline", pid))
	for i, word := range words {
		option, value, given := strings.Cut(word, "=")
		if option != "--config" && option != "-config" && option != "-c" {
			continue
		}
		if !given && i+1 < len(words) {
			value = words[i+1]
		}
		files = append(files, withNeighbours(value)...)
	}
	for _, v := range nulTerminated(fmt.Sprintf("/proc/%d/environ", pid)) {
		if value, ok := strings.CutPrefix(v, "CONFIG_FILE="); ok && value != "" {
			files = append(files, withNeighbours(value)...)
		}
	}
	return files
}

// absolute returns a path from the root; empty where it has none.
func absolute(name string) string {
	name, _ = filepath.Abs(name)
	return name
}

// nulTerminated returns the words of a file of /proc, none where it cannot be read.
func nulTerminated(name string) []string {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
}

// resolve asks the host's file system about the source of a volume.
func (s *sources) resolve(v policy.UserVolume) policy.VolumeRequest {
	r := policy.VolumeRequest{UserVolume: v}
	if !s.policy.MayMount(v.Source) {
		return r
	}
	r.PrivateName = s.private.Names(v.Source)
	path := s.host.Resolve(v.Source, s.policy.Reaches)
	if path.Name == "" {
		return r
	}
	r.Private = s.private.Shows(path.Name)
	if path.Missing {
		r.Missing = path.Name
		return r
	}
	r.Resolved = path.Name
	r.Mountable = path.Info.IsDir() || path.Info.Mode().IsRegular()
	return r
}
