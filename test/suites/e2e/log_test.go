//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// The administrator's log has each step and each podman command of a job, as
// JSON, for the runner's user alone.
func TestAdministratorsLog(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.run(job("logged", "exit 3"))
	failed(t, run, "script_failure", 3)
	name := filepath.Join(m.dir, "driver.log")
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the log: %v, %v", info, err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]string{}
	var commands int
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var line struct{ Program, Msg, Step, Failure, Level, Time string }
		var ids struct{ Job, Project int64 }
		if json.Unmarshal(lines.Bytes(), &line) != nil || json.Unmarshal(lines.Bytes(), &ids) != nil || line.Time == "" {
			t.Fatalf("no JSON in the log: %s", lines.Text())
		}
		if ids.Job != run.Job.ID || ids.Project != 7 || !strings.HasPrefix(line.Program, "podman-executor-") {
			t.Errorf("a line of job %d in project %d by %q: %s", ids.Job, ids.Project, line.Program, lines.Text())
		}
		if line.Step != "" {
			steps[line.Step] = line.Failure
		}
		if strings.HasPrefix(line.Msg, "podman create ") || strings.HasPrefix(line.Msg, "podman run ") {
			commands++
		}
	}
	if steps["build_script"] != "the script ended with exit code 3" || steps["cleanup_file_variables"] != "" || len(steps) < 4 {
		t.Errorf("the log has the steps %q", steps)
	}
	if commands != 2 {
		t.Errorf("the log has %d commands that make a container, want 2", commands)
	}
}

// While a job with secrets runs, none of them is on any command line, and none
// is in a file or a log afterwards.
func TestNoSecretGetsOut(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	m := start(t, defaults(r.policy(), `image_pull_policy = "always"`, fmt.Sprintf("runner_image = %q", r.push(runnerImage, "admin/runner:1"))))
	j := variables(in(r.push(busyboxImage, "team/app:1"), m.clone("secrets", "echo the secret is $A_SECRET", "sleep 1")))
	j.Credentials = []gitlab.Credential{r.credential(r.host)}
	run := m.server.Submit(j)
	secrets := []string{"correct-horse-battery-staple", r.password, fmt.Sprintf("job-token-%d", run.Job.ID)}
	stop, seen := make(chan struct{}), make(chan string, 1)
	go func() { seen <- watchCommandLines(stop, "git", secrets...) }()
	m.wait(run)
	close(stop)
	if line := <-seen; line != "" {
		t.Errorf("a secret stands on a command line: %s", line)
	}
	m.nothingLeft()
	succeeded(t, run)
	logs(t, run, "the secret is [MASKED]")
	driverLog, _ := os.ReadFile(filepath.Join(m.dir, "driver.log"))
	for _, secret := range secrets {
		if strings.Contains(run.Log(), secret) || strings.Contains(string(driverLog), secret) {
			t.Errorf("%q stands in a log", secret)
		}
	}
}

// watchCommandLines looks at all command lines until stop is closed, and returns
// the first with a secret. Those of programs with `except` in their names do not
// count, such as git's own in the container; empty: all count.
func watchCommandLines(stop <-chan struct{}, except string, secrets ...string) string {
	for {
		found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, file := range found {
			line, _ := os.ReadFile(file)
			program, _, _ := strings.Cut(string(line), "\x00")
			if except != "" && strings.Contains(filepath.Base(program), except) {
				continue
			}
			for _, secret := range secrets {
				if bytes.Contains(line, []byte(secret)) {
					return strings.ReplaceAll(string(line), "\x00", " ")
				}
			}
		}
		select {
		case <-stop:
			return ""
		case <-time.After(5 * time.Millisecond):
		}
	}
}
