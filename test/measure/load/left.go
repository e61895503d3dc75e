package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// leftoverTime is how long after the last job's end something of one may be left.
const leftoverTime = 10 * time.Second

// leftWithin returns what is still left of the jobs after that time.
func (m *machine) leftWithin(ctx context.Context, patience time.Duration) []string {
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		left := m.left(ctx)
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}

// left names what is left of the jobs: containers, networks, directories.
func (m *machine) left(ctx context.Context) []string {
	var left []string
	for _, name := range m.named(ctx, "ps", "--all", "--format", "{{.Names}}") {
		left = append(left, "there is left the container "+name)
	}
	for _, name := range m.named(ctx, "network", "ls", "--format", "{{.Name}}") {
		left = append(left, "there is left the network "+name)
	}
	entries, err := os.ReadDir(m.tempDir())
	if err != nil {
		left = append(left, err.Error())
	}
	for _, e := range entries {
		left = append(left, "there is left "+e.Name()+" in the runner's TMPDIR")
	}
	owners, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "podman-executor", "*", "podman-executor-owner"))
	for _, file := range owners {
		owner, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(owner), fmt.Sprintf("/%d/", m.runner.PID())) {
			left = append(left, "there is left the directory "+filepath.Dir(file))
		}
	}
	return left
}

// named are the objects of a list that have names of this machine's jobs.
func (m *machine) named(ctx context.Context, list ...string) []string {
	out, err := podman(ctx, list...)
	// An object that another user of the storage removes meanwhile fails the list.
	for try := 0; err != nil && try < 5; try++ {
		out, err = podman(ctx, list...)
	}
	if err != nil {
		return []string{err.Error()}
	}
	var names []string
	for _, name := range strings.Fields(out) {
		if strings.HasPrefix(name, "podman-executor-"+m.token+"-") {
			names = append(names, name)
		}
	}
	return names
}

func podman(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "podman", args...)
	cmd.Dir = "/"
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("podman %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}

// inUse returns the lines of all logs that tell of a name or a layer that two
// jobs wanted at a time.
func (m *machine) inUse(jobs []*submitted) []string {
	driver, err := os.ReadFile(m.driverLog())
	if err != nil {
		return []string{err.Error()}
	}
	logs := []string{m.runner.Log(), string(driver)}
	for _, j := range jobs {
		logs = append(logs, j.run.Log())
	}
	var lines []string
	for _, log := range logs {
		for line := range strings.Lines(log) {
			if strings.Contains(line, "already in use") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}
