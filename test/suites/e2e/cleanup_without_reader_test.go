//go:build e2e

package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"podman-executor/internal/plan"
)

// The runner that called cleanup is dead, and with it the reader of what cleanup
// says: cleanup goes on to its end.
func TestCleanupWithoutAReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := plan.Write(dir, plan.Plan{Podman: plan.Podman{Program: "/bin/false"}, UserContainer: "none"}); err != nil {
		t.Fatal(err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = reader.Close()
	defer writer.Close()
	cmd := exec.Command(filepath.Join(environment(t, "PODMAN_EXECUTOR_BIN"), "podman-executor-cleanup"))
	cmd.Env = []string{"TMPDIR=" + dir, "JOB_RESPONSE_FILE=/dev/null", "SYSTEM_FAILURE_EXIT_CODE=7"}
	cmd.Stdout, cmd.Stderr = writer, writer
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("cleanup with a podman that fails ended with %v", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); !ok || status.Signaled() || status.ExitStatus() != 7 {
		t.Errorf("cleanup ended with %v, want exit status 7", exit)
	}
}
