package handover

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podman-executor/pkg/podman"
)

// containerOf returns a container that never takes a step from its pipes, and whose state
// podman reports as given. calls returns podman's calls so far.
func containerOf(t *testing.T, status string) (c Container, calls func() []string) {
	t.Helper()
	home := t.TempDir()
	dir := filepath.Join(home, "pipes")
	if err := Make(dir); err != nil {
		t.Fatal(err)
	}
	program, log := filepath.Join(home, "podman"), filepath.Join(home, "log")
	script := "#!/bin/sh\necho \"$1\" >>'" + log + "'\n[ \"$1\" != container ] || echo '{\"Status\": \"" + status + "\", \"ExitCode\": 7}'\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return Container{Podman: &podman.Podman{Program: program}, Name: "c", Dir: dir}, func() []string {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(text))
	}
}

// A container that runs, and takes no step, costs few podman commands.
func TestContainerThatTakesNoStep(t *testing.T) {
	t.Parallel()
	c, calls := containerOf(t, "running")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := c.up(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if n := len(calls()); n < 1 || n > 7 {
		t.Errorf("%d podman commands in 5 s", n)
	}
}

// One that does not end after all also costs few commands.
func TestContainerThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	c, calls := containerOf(t, "running")
	if _, err := c.End(t.Context()); err == nil || !strings.Contains(err.Error(), "the container is still running") {
		t.Errorf("got %v", err)
	}
	if n := len(calls()); n < 2 || n > 9 {
		t.Errorf("%d podman commands", n)
	}
}

// One that has ended is started, once.
func TestContainerThatEndsAgain(t *testing.T) {
	t.Parallel()
	c, calls := containerOf(t, "exited")
	if err := c.up(t.Context()); !errors.Is(err, ErrNobody) || !strings.Contains(err.Error(), "exited with code 7") {
		t.Errorf("got %v", err)
	}
	if got := strings.Join(calls(), " "); got != "container start container" {
		t.Errorf("got %q", got)
	}
}
