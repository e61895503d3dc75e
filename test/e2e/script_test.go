//go:build e2e

package e2e

import (
	"testing"
)

func TestSuccess(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.run(in("debian:trixie-slim", job("hello", "echo hello from $(cat /etc/debian_version)")))
	succeeded(t, run)
	logs(t, run, "Using Custom executor with driver podman-executor", "Using podman", "Using image docker.io/library/debian:trixie-slim", "hello from 13", "Job succeeded")
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.run(job("exit code", "echo before", "exit 42", "echo never"))
	failed(t, run, "script_failure", 42)
	logs(t, run, "before", "ERROR: Job failed: exit status 42")
	lacks(t, run, "never\n", "podman-executor-run: error")
}
