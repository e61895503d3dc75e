package request

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"podman-executor/internal/job"
	"podman-executor/internal/source"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// Machine is the part of this machine's set-up that is private.
type Machine struct {
	Policy *policy.Policy
	// StateDir is the driver's directory for what outlives jobs, Attempt the runner's directory
	// for this attempt at the job.
	StateDir, Attempt string
	// Runner is the runner's process, RunnerProgram its file if it is known.
	Runner        job.Process
	RunnerProgram string
	// Getenv returns variables of this program's own environment.
	Getenv func(string) string
}

// PrivatePlaces returns where other jobs' plans, scripts and auth files are, podman's files,
// the runner's configuration, what the policy names for the driver itself, and what this user
// runs at its next login. root in a container is this user.
func (m Machine) PrivatePlaces() []source.Place {
	g := m.Policy.General
	uid := os.Getuid()
	places := slices.Concat(
		source.OfEnvironment(podman.Environment(m.Getenv, uid, g.Podman.Environment), uid),
		source.OfEnvironment(m.callersEnvironment(), uid),
		source.OfUser(uid))
	// The runner's directories of all jobs: gitlab-runner
	// executors/custom/custom.go:101.
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(m.Attempt), "custom-executor*"))
	names = append(names,
		m.Attempt, absolute(m.Policy.File()), g.DataDir, g.LogFile, g.Podman.RegistryAuthFile, m.StateDir,
		g.Podman.Identity, g.Podman.KnownHosts)
	names = append(names, runnerConfig(m.Runner.PID)...)
	for _, address := range g.Podman.Endpoints() {
		if socket, ok := strings.CutPrefix(address, "unix://"); ok {
			names = append(names, socket)
		}
	}
	for _, program := range m.programs() {
		if filepath.IsAbs(program) {
			names = append(names, program)
			// Directories next to it may be data.
			places = append(places, source.Place{Path: filepath.Dir(program), Kind: source.Home})
		}
	}
	for _, name := range names {
		places = append(places, source.Place{Path: name})
	}
	return places
}

// programs returns the programs that run on the host: whoever can replace one can run another.
func (m Machine) programs() []string {
	pm := m.Policy.General.Podman
	programs := []string{pm.ApplicationPath, m.RunnerProgram}
	if pm.RunnerBinary != policy.NoRunnerBinary {
		programs = append(programs, pm.RunnerBinary)
	}
	if len(pm.Launcher) > 0 {
		programs = append(programs, pm.Launcher[0])
	}
	if self, err := os.Executable(); err == nil {
		programs = append(programs, self)
	}
	return programs
}

// callersEnvironment returns the relevant part of this program's own environment. The rest is
// the job's, or set by the runner for one call.
func (m Machine) callersEnvironment() []string {
	var environ []string
	for _, name := range []string{"HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"} {
		if value := m.Getenv(name); value != "" {
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

// absolute returns a path from the root; empty if there is none.
func absolute(name string) string {
	name, _ = filepath.Abs(name)
	return name
}

// nulTerminated returns the words of a file in /proc; none if it cannot be read.
func nulTerminated(name string) []string {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
}
