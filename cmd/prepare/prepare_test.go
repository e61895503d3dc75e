package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"podman-executor/internal/job"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
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
		s := &preparation{policy: &policy.Policy{}, podman: &podman.Podman{Env: []string{"HOME=/h", "PATH=/usr/bin"}}, owner: job.Process{PID: runner.Process.Pid}}
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

// A program that needs the host's libraries runs in no image, and something that
// is no gitlab-runner is not the runner's.
func TestCallingRunner(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "gitlab-runner")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{bash, script, "/does/not/exist"} {
		if isStatic(file) {
			t.Errorf("%s is no static program", file)
		}
	}
	s := &preparation{podman: &podman.Podman{}, owner: job.Process{PID: os.Getpid()}}
	if got := s.callingRunner(); got != "" {
		t.Errorf("this test is taken for a runner: %q", got)
	}
}

// With step_script_only a job's user is gitlab-runner's own on the host.
func TestKeepID(t *testing.T) {
	for user, want := range map[string]string{
		"": "", "root": "", "0": "", "00": "", "0:1000": "", "root:staff": "",
		"1000": "keep-id:uid=1000", "1000:100": "keep-id:uid=1000,gid=100", "1000:staff": "keep-id:uid=1000",
	} {
		if got, ok := keepID(user); got != want || !ok {
			t.Errorf("%q: got %q, %v, want %q", user, got, ok, want)
		}
	}
	for _, user := range []string{"node", "node:1000", "1000,size=9", "10 00"} {
		if got, ok := keepID(user); got != "" || ok {
			t.Errorf("%q: got %q, %v", user, got, ok)
		}
	}
}

// The runner's configuration is found by the runner's command line.
// Who is another on the host than the runner's user, or may be.
func TestIsAnotherOnHost(t *testing.T) {
	for _, tt := range []struct {
		name, user, mode, granted string
		entry                     policy.EntryPoint
		options                   []string
		want                      bool
	}{
		{name: "root"},
		{name: "root by his number", user: "0:0"},
		{name: "a number that is mapped", user: "1000:5", mode: "keep-id:uid=1000,gid=5"},
		{name: "a number that is not, as with a service", user: "1000", want: true},
		{name: "a name", user: "daemon", want: true},
		{name: "a mapping of the policy's", granted: "auto", mode: "auto", want: true},
		{name: "an option of the policy's", options: []string{"--user=daemon"}, want: true},
		{name: "a shell before the script", entry: policy.EntryPoint{Words: []string{"/bin/bash", "-l"}}},
		{name: "a program before the script", entry: policy.EntryPoint{Words: []string{"gosu", "app"}}, want: true},
		{name: "a program before the shell", entry: policy.EntryPoint{Words: []string{"entry.sh"}, Shell: true}, want: true},
		{name: "another option", options: []string{"--pids-limit=5"}},
	} {
		s := &preparation{policy: &policy.Policy{}, grant: policy.Grant{User: tt.user, UserEntry: tt.entry}}
		s.policy.General.Podman.StepScriptOnly = true
		s.grant.Container.UsernsMode = tt.granted
		c := podman.Create{Options: tt.options, Isolation: podman.Isolation{UserNS: tt.mode}}
		if got := s.isAnotherOnHost(c, podman.Image{}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		s.policy.General.Podman.StepScriptOnly = false
		if s.isAnotherOnHost(c, podman.Image{}) {
			t.Errorf("%s, without steps on the host", tt.name)
		}
	}
}

func TestRunnerConfig(t *testing.T) {
	script := filepath.Join(t.TempDir(), "gitlab-runner")
	if err := os.WriteFile(script, []byte("echo ready\nread -r line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const beside = " /etc/.runner_system_id /etc/certs"
	for words, want := range map[string]string{
		"run --config /etc/x.toml --debug": "/etc/x.toml" + beside, "run --config=/etc/x.toml": "/etc/x.toml" + beside,
		"run -c /etc/x.toml": "/etc/x.toml" + beside, "--config x.toml run": "PROC/cwd/x.toml PROC/cwd/.runner_system_id PROC/cwd/certs", "run --debug": "",
		"CONFIG_FILE=/etc/x.toml run": "/etc/x.toml" + beside,
	} {
		setting, rest, _ := strings.Cut(words, " ")
		if strings.HasPrefix(setting, "CONFIG_FILE=") {
			words = rest
		} else {
			setting = "CONFIG_FILE="
		}
		runner := exec.Command("sh", append([]string{script}, strings.Fields(words)...)...)
		runner.Env = append(os.Environ(), setting)
		stdin, err := runner.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := runner.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := runner.Start(); err != nil {
			t.Fatal(err)
		}
		// Before, the command line may be empty.
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		pid := runner.Process.Pid
		got := strings.ReplaceAll(strings.Join(runnerConfig(pid), " "), fmt.Sprintf("/proc/%d", pid), "PROC")
		if got != want {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
		_ = stdin.Close()
		_ = runner.Wait()
	}
}
