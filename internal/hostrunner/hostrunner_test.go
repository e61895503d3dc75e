package hostrunner

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The calling runner is found by its process; another program does not count as one.
func TestRunning(t *testing.T) {
	dir := t.TempDir()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gitlab-runner", "other"} {
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
		want := ""
		if name == Program {
			want = program
		}
		if got, err := Running(runner.Process.Pid); got != want || err != nil {
			t.Errorf("%s: got %q (%v), want %q", name, got, err, want)
		}
		_ = stdin.Close()
		_ = runner.Wait()
	}
	if got, err := Running(os.Getpid()); got != "" || err != nil {
		t.Errorf("this test is taken for a runner: %q (%v)", got, err)
	}
}

// A runner that somebody else could replace is not used.
func TestRunningUntrusted(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, Program)
	if out, err := exec.Command("cp", "/bin/sleep", program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	runner := exec.Command(program, "1000")
	if err := runner.Start(); err != nil {
		t.Fatal(err)
	}
	defer runner.Wait()
	defer runner.Process.Kill()
	if got, err := Running(runner.Process.Pid); got != "" || err == nil {
		t.Errorf("got %q (%v)", got, err)
	}
}

// A program that needs the host's libraries may not run in an image.
func TestMountable(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "gitlab-runner")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{bash, script, "/does/not/exist", ""} {
		if Mountable(file) {
			t.Errorf("%s can be mounted", file)
		}
	}
}
