//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// hooked is a job whose hook is part of the runner's step get_sources.
func (m *machine) hooked(name, hook string, script ...string) gitlab.Job {
	m.Helper()
	j := m.cloneOnce(name, script...)
	j.Hooks = []gitlab.Hook{{Name: "pre_get_sources_script", Script: []string{hook}}}
	j.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Type: "archive", Format: "zip", When: "always"}}
	return j
}

// commands returns podman's command lines with a word, from the driver's log.
func (m *machine) commands(word string) []string {
	m.Helper()
	log, err := os.ReadFile(filepath.Join(m.dir, "driver.log"))
	if err != nil {
		m.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(log)) {
		if _, command, ok := strings.Cut(line, `"msg":"podman `); ok && strings.Contains(command, word) {
			list = append(list, command)
		}
	}
	return list
}

// The runner container is started once for all of its steps; what a step of its leaves
// running is dead while the script runs.
func TestRunnerContainerStays(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	// Out of the step's reach: in another session, without its streams, deaf to SIGTERM.
	const stray = "setsid sh -c 'trap \"\" TERM; exec >/dev/null 2>&1 </dev/null; : >/tmp/strayed; sleep 4242; sleep 4242' & until [ -e /tmp/strayed ]; do :; done"
	run := m.server.Submit(m.hooked("stays", stray, append([]string{"echo made >out"}, untilReleased...)...))
	m.waitLog(run, "holding")
	// The loop, and its subshell that reads the name of the next step.
	if processes := podman(t, "top", m.container(run, "runner"), "comm"); strings.TrimSpace(processes) != "COMMAND\nsh\nsh" {
		t.Errorf("in the runner container run:\n%s", processes)
	}
	m.release(run)
	m.wait(run)
	succeeded(t, run)
	m.nothingLeft()
	logs(t, run, "released", "Uploading artifacts")
	if got := m.commands("-runner"); len(got) != 2 || !strings.HasPrefix(got[0], "run --detach ") || !strings.HasPrefix(got[1], "rm ") {
		t.Errorf("podman commands for the runner container: %q", got)
	}
}

func TestStartPerStep(t *testing.T) {
	t.Parallel()
	m := start(t, defaults("start_per_step = true"))
	run := m.run(m.hooked("per step", "echo hook", "echo made >out"))
	succeeded(t, run)
	logs(t, run, "hook\n", "Uploading artifacts")
	// Over a service prepare starts one, too: it cannot mount gitlab-runner, and looks for the image's.
	starts := slices.DeleteFunc(m.commands("start --attach"), func(line string) bool { return !strings.Contains(line, `"podman-executor-run"`) })
	if len(starts) != 5 {
		t.Errorf("%d starts of containers, want those of five steps: %q", len(starts), starts)
	}
}

// A runtime of containers.conf that is not one of the usual ones may have another kernel: there, too, containers start
// for each step. Here it is crun by another name.
func TestStartPerStepByContainersConf(t *testing.T) {
	t.Parallel()
	crun, err := exec.LookPath("crun")
	if err != nil {
		t.Fatal(err)
	}
	m := start(t, func(dir string) string {
		conf := filepath.Join(dir, "containers.conf")
		write(t, conf, fmt.Sprintf("[engine]\nruntime = \"other\"\n[engine.runtimes]\nother = [%q]\n", crun))
		return policyText(dir, nil, []string{storageEnvironment("CONTAINERS_CONF=" + conf)})
	})
	run := m.run(job("other runtime", "echo made >out"))
	succeeded(t, run)
	if len(m.commands("start --attach")) == 0 {
		t.Error("containers stay")
	}
}

// A runner container that somebody has killed while the script ran is started again;
// one that somebody has removed is a failure of the system, and so is one that ends
// in the middle of a step.
func TestRunnerContainerGone(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.server.Submit(m.hooked("killed", "echo hook", append([]string{"echo made >out"}, untilReleased...)...))
	m.waitLog(run, "holding")
	podman(t, "kill", m.container(run, "runner"))
	m.release(run)
	m.wait(run)
	succeeded(t, run)
	m.nothingLeft()
	logs(t, run, "Uploading artifacts")

	run = m.server.Submit(m.hooked("removed", "echo hook", append([]string{"echo made >out"}, untilReleased...)...))
	m.waitLog(run, "holding")
	podman(t, "rm", "--force", "--time", "0", m.container(run, "runner"))
	m.release(run)
	m.wait(run)
	failed(t, run, "runner_system_failure", 0)
	m.nothingLeft()
	logs(t, run, "podman-executor-run: error: the job's container is gone: ", "podman-executor-run: hint: ")

	run = m.server.Submit(m.hooked("ends in a step", "echo holding; sleep 1000", "echo ran"))
	m.waitLog(run, "holding")
	podman(t, "kill", m.container(run, "runner"))
	m.wait(run)
	failed(t, run, "runner_system_failure", 0)
	m.nothingLeft()
	logs(t, run, "podman-executor-run: error: the container ended while the step ran, with exit code 137\n", "podman-executor-run: hint: ")
	lacks(t, run, "$ echo ran")
}

// conmon may be killed while a script runs: the script does not notice.
func TestConmonKilled(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.server.Submit(job("conmon killed", untilReleased...))
	m.waitLog(run, "holding")
	conmon, err := strconv.Atoi(podman(t, "inspect", "--format", "{{.State.ConmonPid}}", m.container(run, "user")))
	if err != nil || conmon < 2 {
		t.Fatalf("the process id of conmon: %d, %v", conmon, err)
	}
	if err := syscall.Kill(conmon, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	m.release(run)
	m.wait(run)
	succeeded(t, run)
	logs(t, run, "released")
	m.nothingLeft()
}

// A runner's step that is cancelled is told to stop, and killed with its container
// where it does not listen. It is before the first of the author's steps, so nothing of
// the job runs after it.
func TestRunnerStepStopped(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]string{
		"listens":  "trap 'echo told' TERM; (while sleep 0.2; do echo holding; done) & wait; exit 1",
		"stubborn": "trap '' TERM; while sleep 1; do echo holding; done",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := start(t, defaults())
			j := m.hooked("stopped "+name, hook, "echo ran")
			j.AddAfterScript("echo ran after")
			run := m.server.Submit(j)
			m.waitLog(run, "holding")
			run.Cancel()
			m.wait(run)
			m.nothingLeft()
			failed(t, run, "job_canceled", 0)
			if name == "listens" {
				logs(t, run, "told\n")
			}
			lacks(t, run, "$ echo ran", "Uploading artifacts", "podman-executor-run: error")
		})
	}
}

// What a hook writes to the pipes of its step is the job's own affair.
func TestForgedSteps(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.run(m.hooked("garbage", "for p in /run/podman-executor/private/steps/step-*; do echo 0123456789abcdef 1<>$p/status; done; sleep 1000", "echo ran"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "podman-executor-run: error: handing a step to the container: ", "invalid exit status of a step", "podman-executor-run: hint: ")
	lacks(t, run, "$ echo ran")
	// It cannot put anything in their place.
	run = m.run(m.hooked("links", "cd /run/podman-executor/private/steps; rm -rf next step-* || ln -s /etc/passwd link || ls", "echo made >out"))
	succeeded(t, run)
	logs(t, run, "next\n")
	lacks(t, run, "link\n")
}

// A process of a runner's step that the kernel has killed for want of memory is named;
// the file is what conmon leaves, see TestOutOfMemory.
func TestOutOfMemoryInRunnerStep(t *testing.T) {
	t.Parallel()
	m := start(t, defaults("[general.podman.container]", `memory = "512m"`))
	run := m.server.Submit(m.hooked("killed", "echo started; while [ ! -e /tmp/go ]; do sleep 0.1; done; sh -c 'kill -9 $$'", "echo ran"))
	m.waitLog(run, "\nstarted")
	name := m.container(run, "runner")
	outOfMemory(t, name)
	podman(t, "exec", name, "touch", "/tmp/go")
	m.wait(run)
	m.nothingLeft()
	logs(t, run, "podman-executor-run: error: out of memory: the script used more than its limit of 512m, and the kernel killed one of its processes\n", "podman-executor-run: hint: ")
	lacks(t, run, "$ echo ran")
}
