//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// launching is a policy with a launcher that runs what follows on this machine. What a
// scheduler does is in test/suites/cluster.
func launching(t *testing.T, keys ...string) (policy func(string) string, dir string) {
	t.Helper()
	lines := append([]string{"step_script_only = true", "-runner_image", "-runner_options"}, keys...)
	if !hasKey(lines, "launcher") {
		lines = append(lines, `launcher = ["nice", "-n", "3"]`)
	}
	return dataDir(t, lines...)
}

// Each of the author's steps has a container of its own, made by the launcher's command.
func TestLauncher(t *testing.T) {
	t.Parallel()
	policy, dir := launching(t)
	m := start(t, policy)
	j := in(debianImage, m.cloneOnce("launched", "cat README", "nice", "echo made >out", ": >/tmp/here", "echo warned >&2"))
	j.AddAfterScript("[ ! -e /tmp/here ] && cat out")
	j.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Type: "archive", Format: "zip"}}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "\n3\n", "\nmade\n")
	logs(t, run, "\nwarned\n") // from another stream
	if len(run.Artifacts()) != 1 {
		t.Error("the artifact has not arrived")
	}
	for _, code := range []int{42, 125, 126, 127, 137, 255} {
		run := m.run(in(busyboxImage, job("fails", fmt.Sprintf("exit %d", code))))
		failed(t, run, "script_failure", code)
		lacks(t, run, "podman-executor-run: error")
	}
	failed(t, m.run(in(busyboxImage, job("killed", "kill -9 $$"))), "script_failure", 137)
	// Another user's directories are not this user's to remove.
	run = m.run(in(userImage, job("directories", "id -u", "mkdir -p /run/podman-executor/private/report/a/b")))
	succeeded(t, run)
	logs(t, run, "\n1000\n")
	nothingLaunched(t, dir)
}

// nothingLaunched checks that data_dir has nothing of a job that is over.
func nothingLaunched(t *testing.T, dir string) {
	t.Helper()
	if entries, err := os.ReadDir(filepath.Join(dir, ".podman-executor")); err != nil || len(entries) > 0 {
		t.Errorf("left below data_dir: %v, %v", entries, err)
	}
}

// A cancelled script is told to stop, and killed where it does not. It prints all the time:
// the runner hears of a cancel when it sends output, or after 30 s.
func TestLauncherCancelled(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"listens":  "trap 'echo told; exit 3' TERM; while :; do echo holding; sleep 0.1; done",
		"stubborn": "trap '' TERM; while :; do echo holding; sleep 1; done",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy, _ := launching(t)
			m := start(t, policy)
			j := in(busyboxImage, job("cancelled "+name, script))
			j.AddAfterScript("echo after_script")
			run := m.server.Submit(j)
			m.waitLog(run, "holding")
			cancelled := time.Now()
			run.Cancel()
			m.wait(run)
			t.Logf("the job ended after %s", time.Since(cancelled))
			m.nothingLeft()
			failed(t, run, "job_canceled", 0)
			logs(t, run, "after_script\n")
			lacks(t, run, "podman-executor-run: error")
			if name == "listens" {
				logs(t, run, "told\n")
			}
		})
	}
}

// A driver that is killed leaves no script that runs on.
func TestLauncherWithoutDriver(t *testing.T) {
	t.Parallel()
	policy, _ := launching(t)
	m := start(t, policy)
	m.loseDriver()
	m.nothingLeft()
}

// loseDriver runs a job whose driver is killed while its script runs, which does not stop
// when it is told to.
func (m *machine) loseDriver() *gitlab.Run {
	m.Helper()
	run := m.server.Submit(in(busyboxImage, job("driver killed", "trap '' TERM; echo holding; while :; do sleep 1; done")))
	m.waitLog(run, "\nholding\n")
	m.killDriver()
	m.wait(run)
	failed(m.T, run, "runner_system_failure", 0)
	return run
}

// What keeps a container from being run is told from the script's own failure.
func TestLauncherFails(t *testing.T) {
	t.Parallel()
	policy, _ := launching(t, `launcher = ["false"]`)
	m := start(t, policy)
	run := m.run(in(busyboxImage, job("no launcher", "echo ran")))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "podman-executor-run: error: the launcher false exited with code 1 before the script began\n", "podman-executor-run: hint: ")
	lacks(t, run, "\nran")
	m.nothingLeft()
}

// Where the launcher puts the container there is another storage, into which the image
// comes from its registry, with the job's credentials, and by its digest.
func TestLauncherPulls(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	id := r.pushed("team/launched:1")
	elsewhere := newOwnStore(t)
	words := append([]string{"env"}, elsewhere.environment()...)
	launcher, err := json.Marshal(words)
	if err != nil {
		t.Fatal(err)
	}
	policy, data := launching(t, r.policy(), `image_pull_policy = "always"`, "launcher = "+string(launcher))
	m := start(t, policy)
	run := m.run(r.pulls(r.host+"/team/launched:1", "pulled elsewhere", "cat /unique"))
	succeeded(t, run)
	if got := elsewhere.podman("image", "inspect", "--format", "{{.Id}}", id); got != id {
		t.Errorf("elsewhere there is the image %s, want %s", got, id)
	}
	r.noSecrets(m, run)
	nothingLaunched(t, data)

	// Without credentials this machine's podman refuses the job already.
	run = m.run(in(r.host+"/team/launched:1", job("without credentials", "echo ran")))
	failed(t, run, "script_failure", 1)
	lacks(t, run, "\nran")
}

// The credentials of a pull are in a file that only the user can read, for as long as
// the step lasts.
func TestLauncherCredentials(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	r.pushed("team/launched:1")
	policy, dir := launching(t, r.policy())
	m := start(t, policy)
	j := r.pulls(r.host+"/team/launched:1", "private", untilReleased...)
	run := m.server.Submit(j)
	m.waitLog(run, "holding")
	files, err := filepath.Glob(filepath.Join(dir, ".podman-executor", "*", "auth.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the auth files: %q, %v", files, err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the auth file: %v, %v", info, err)
	}
	m.release(run)
	m.wait(run)
	succeeded(t, run)
	m.nothingLeft()
	if text, _ := os.ReadFile(filepath.Join(m.dir, "driver.log")); strings.Contains(string(text), r.password) {
		t.Error("the password is in the driver's log")
	}
	if _, err := os.Stat(files[0]); !os.IsNotExist(err) {
		t.Errorf("after the job: %v", err)
	}
}
