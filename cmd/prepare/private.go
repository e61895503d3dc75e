package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// privatePlaces are what no user volume may show, whatever volume_allow_list says:
// where other jobs' plans, scripts and auth files lie, podman's storage and socket,
// the runner's configuration, and what the policy names for the driver itself. root
// in a container is this user, so what this user owns counts.
func (s *preparation) privatePlaces() []string {
	g := s.policy.General
	// The runner's directories of all jobs: gitlab-runner
	// executors/custom/custom.go:101.
	places, _ := filepath.Glob(filepath.Join(filepath.Dir(s.attempt), "custom-executor*"))
	places = append(places,
		s.attempt, s.policy.File(), g.DataDir, g.LogFile, g.Podman.RegistryAuthFile, s.call.StateDir(s.policy), runnerConfig(s.owner.PID),
		s.call.Getenv("XDG_RUNTIME_DIR"), fmt.Sprintf("/run/user/%d", os.Getuid()), "/run/podman-executor",
		"/var/lib/containers", "/run/containers", "/run/podman", "/etc/gitlab-runner")
	if home := s.call.Getenv("HOME"); home != "" {
		for _, below := range []string{".local/share/containers", ".config/containers", ".config/podman-executor", ".gitlab-runner"} {
			places = append(places, filepath.Join(home, below))
		}
	}
	var own []string
	for _, place := range places {
		resolved, err := filepath.EvalSymlinks(place)
		if err != nil || !filepath.IsAbs(resolved) {
			continue
		}
		info, err := os.Lstat(resolved)
		if err != nil {
			continue
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) == os.Getuid() {
			own = append(own, resolved)
		}
	}
	return own
}

// runnerConfig returns the config.toml that a running gitlab-runner was given by an
// option, empty where it was not.
func runnerConfig(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	words := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
	for i, word := range words {
		option, value, given := strings.Cut(word, "=")
		if option != "--config" && option != "-config" && option != "-c" {
			continue
		}
		if !given && i+1 < len(words) {
			value = words[i+1]
		}
		if !filepath.IsAbs(value) {
			value = filepath.Join(fmt.Sprintf("/proc/%d/cwd", pid), value)
		}
		return value
	}
	return ""
}
