package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"podman-executor/internal/job"
	"podman-executor/pkg/podman"
)

func TestNatural(t *testing.T) {
	sorted := []string{"V", "V_", "V_0", "V_1", "V_2", "V_02a", "V_10", "V_10_2", "V_10_10", "V_99999999999999999999", "V_100000000000000000000", "V_A", "V_A1", "V_B", "V_a"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := natural(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("natural(%q, %q) = %d", a, b, got)
			}
		}
	}
}

// TestHostEnv: steps on the host find the runner that called, by its own path:
// without a `gitlab-runner` artifacts and caches silently do nothing. What is
// called by another program, such as this test, gets no further directory.
func TestHostEnv(t *testing.T) {
	dir := t.TempDir()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"gitlab-runner": dir + ":/usr/bin", "other": "/usr/bin"} {
		program := filepath.Join(dir, name)
		if out, err := exec.Command("cp", bash, program).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		runner := exec.Command(program, "-c", "read -r line")
		stdin, err := runner.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := runner.Start(); err != nil {
			t.Fatal(err)
		}
		s := &preparation{podman: &podman.Podman{Env: []string{"HOME=/h", "PATH=/usr/bin"}}, owner: job.Owner{PID: runner.Process.Pid}}
		if got, want := s.hostEnv(), []string{"HOME=/h", "PATH=" + path}; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if s.podman.Env[1] != "PATH=/usr/bin" {
			t.Errorf("podman's own environment has changed: %q", s.podman.Env)
		}
		_ = stdin.Close()
		_ = runner.Wait()
	}
}
