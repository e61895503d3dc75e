//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// startService starts a podman service on a socket, with those variables, NAME=value,
// beside its own, and returns its URL.
func startService(t *testing.T, variables ...string) string {
	t.Helper()
	// The path of a socket is short.
	dir, err := os.MkdirTemp("", "pe-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "podman.sock")
	cmd := podmanCommand("system", "service", "--time", "0", "unix://"+socket)
	cmd.Env = append(os.Environ(), variables...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return "unix://" + socket
		}
		if time.Now().After(end) {
			t.Fatal("the podman service does not start")
		}
	}
}

func TestServiceURL(t *testing.T) {
	t.Parallel()
	url := startService(t)
	m := start(t, defaults(fmt.Sprintf("service_url = %q", url)))
	j := in(busyboxImage, variables(m.clone("service", "cat README", `cat "$A_FILE"`, "echo out >out", "seq 20000")))
	j.AddAfterScript("echo after")
	j.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Type: "archive", Format: "zip"}}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "second", "content of the file", "\n20000\n", "after")
	if len(run.Artifacts()) != 1 {
		t.Error("the artifact has not arrived")
	}
	failed(t, m.run(job("exit code", "exit 42")), "script_failure", 42)

	cancelled := m.server.Submit(job("cancelled", endless...))
	m.waitLog(cancelled, "tick")
	cancelled.Abort()
	m.wait(cancelled)
	m.nothingLeft()
}
