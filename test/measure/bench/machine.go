package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"podman-executor/test/measure/bench/results"
)

// describeMachine says what the benchmark runs on.
func describeMachine(ctx context.Context) (m results.Machine, err error) {
	m = results.Machine{
		CPU: field("/proc/cpuinfo", "model name", ":"), Cores: runtime.NumCPU(),
		System: strings.Trim(field("/etc/os-release", "PRETTY_NAME", "="), `"`),
	}
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal", ":"), &m.Memory); err != nil {
		return m, fmt.Errorf("reading the size of the memory: %w", err)
	}
	m.Memory <<= 10 // it was in kB
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return m, err
	}
	m.Kernel = strings.TrimSpace(string(kernel))
	if m.Podman, err = output(ctx, "podman", "version", "--format", "{{.Client.Version}}"); err != nil {
		return m, err
	}
	version, err := output(ctx, os.Getenv("GITLAB_RUNNER"), "--version")
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(version) {
		if value, found := strings.CutPrefix(line, "Version:"); found {
			m.Runner = strings.TrimSpace(value)
		}
	}
	m.Driver, err = output(ctx, filepath.Join(os.Getenv("PODMAN_EXECUTOR_BIN"), "podman-executor-run"), "--version")
	return m, err
}

// field is the first value of a key in a file of keys and values.
func field(file, key, separator string) string {
	text, _ := os.ReadFile(file) // not every machine tells its CPU's name
	for line := range strings.Lines(string(text)) {
		if k, value, found := strings.Cut(line, separator); found && strings.TrimSpace(k) == key {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func output(ctx context.Context, program string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
