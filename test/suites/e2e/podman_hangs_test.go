//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// hang is the act of a trap whose podman does nothing, for ever, and says so.
const hang = `: >"$traps/hit"; exec sleep 1000`

// A podman that hangs is stopped after its time. The runner tries a prepare again;
// a step is a failure of the system.
func TestPodmanHangs(t *testing.T) {
	t.Parallel()
	const timeouts = "[general.podman.timeouts]\ncommand = 10"
	t.Run("in prepare", func(t *testing.T) {
		t.Parallel()
		p := newTrap(t)
		m := start(t, defaults(p.key(), timeouts))
		p.armFor(making()+" *", hang)
		run := m.run(killed("podman hangs in prepare"))
		succeeded(t, run)
		logs(t, run, "podman-executor-prepare: error: creating the container", "podman "+making()+": stopped because it took longer than 10s",
			"podman-executor-prepare: hint: ", "general.podman.timeouts.command", "the script: 42")
	})
	t.Run("in a step", func(t *testing.T) {
		t.Parallel()
		p := newTrap(t)
		m := start(t, defaults(p.key(), "start_per_step = true", timeouts))
		p.armFor("start *-user", hang)
		run := m.run(killed("podman hangs in a step"))
		failed(t, run, "runner_system_failure", 0)
		logs(t, run, "podman-executor-run: error: the container did not start: podman start: stopped because it took longer than 20s", "general.podman.timeouts.command")
		lacks(t, run, "the script: 42")
		succeeded(t, m.run(killed("next")))
	})
	t.Run("in cleanup", func(t *testing.T) {
		t.Parallel()
		p := newTrap(t)
		m := start(t, defaults(p.key(), timeouts))
		p.armFor("rm *", hang)
		succeeded(t, m.run(killed("podman hangs in cleanup")))
		p.waitCaught()
		succeeded(t, m.run(killed("next")))
	})
}

// A prepare that is told to stop in the middle of a podman command ends it, and
// leaves nothing.
func TestPrepareStoppedInAPodmanCommand(t *testing.T) {
	t.Parallel()
	p := newTrap(t)
	m := start(t, defaults(p.key()))
	p.armFor(making()+" *-user *", hang)
	run := m.server.Submit(killed("stopped in create"))
	p.waitCaught()
	run.Abort()
	m.wait(run)
	m.nothingLeft()
	if run.State() == gitlab.StateSuccess {
		t.Error("a job that was stopped in prepare is a success")
	}
	lacks(t, run, "the script: 42", "podman-executor-prepare: error")
	succeeded(t, m.run(killed("next")))
}

// What a job needs is killed or removed behind the driver's back while its script
// runs. That is never the script's failure, and never its success.
func TestBehindTheDriversBack(t *testing.T) {
	t.Parallel()
	const startFails, gone, ended = "podman-executor-run: error: running the step: podman start: ", "podman-executor-run: error: the job's container is gone", "podman-executor-run: error: the container ended while the step ran"
	removed := func(m *machine, r *gitlab.Run) { podman(m.T, "rm", "--force", "--time", "0", m.container(r, "user")) }
	rows := map[string]struct {
		do   func(*machine, *gitlab.Run)
		want string
		keys []string
	}{
		"conmon killed":               {func(m *machine, _ *gitlab.Run) { m.kill("conmon") }, startFails, []string{"start_per_step = true"}},
		"podman killed":               {func(m *machine, _ *gitlab.Run) { m.kill("podman") }, startFails, []string{"start_per_step = true"}},
		"container removed":           {removed, gone, nil},
		"container killed":            {func(m *machine, r *gitlab.Run) { podman(m.T, "kill", m.container(r, "user")) }, ended + ", with exit code 137\n", nil},
		"container removed, per step": {removed, gone, []string{"start_per_step = true"}},
		"volumes removed":             {func(m *machine, _ *gitlab.Run) { m.removeVolumes() }, gone, nil},
		"two cleanups at once":        {func(m *machine, _ *gitlab.Run) { m.cleanTwice() }, gone, nil},
	}
	if overService() {
		delete(rows, "conmon killed") // it is another user's
		// Where a container runs one step only, its exit code is the script's, whoever killed it.
		delete(rows, "container killed")
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := start(t, defaults(row.keys...))
			run := m.server.Submit(job(name, endless...))
			m.waitLog(run, "tick")
			row.do(m, run)
			m.wait(run)
			failed(t, run, "runner_system_failure", 0)
			logs(t, run, row.want, "podman-executor-run: hint: ")
			succeeded(t, m.run(killed("next")))
		})
	}
}

// A program of the driver that is killed alone, while a script runs that does not
// end at SIGTERM: the job is none that passed, and the next one works.
func TestRunKilledAlone(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.server.Submit(job("run killed alone", stubborn...))
	m.waitLog(run, "tick")
	m.killDriver()
	m.wait(run)
	failed(t, run, "runner_system_failure", 0)
	succeeded(t, m.run(killed("next")))
}

// kill kills the processes of that name that belong to this machine's user
// containers.
func (m *machine) kill(name string) {
	m.Helper()
	killed := 0
	for _, p := range processesWith("podman-executor-" + m.token + "-") {
		if p.name == name && strings.Contains(p.line, "-user") && syscall.Kill(p.pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed == 0 {
		m.Fatalf("no %s runs", name)
	}
}

// cleanTwice calls cleanup as the runner does for the job that runs, two at once.
func (m *machine) cleanTwice() {
	m.Helper()
	attempts, err := filepath.Glob(filepath.Join(m.runner.TempDir(), "custom-executor*"))
	if err != nil || len(attempts) != 1 {
		m.Fatalf("the directories of jobs are %q (%v)", attempts, err)
	}
	var both [2]*exec.Cmd
	for i := range both {
		c := exec.Command(filepath.Join(environment(m.T, "PODMAN_EXECUTOR_BIN"), "podman-executor-cleanup"))
		c.Env = []string{"TMPDIR=" + attempts[0], "JOB_RESPONSE_FILE=" + filepath.Join(attempts[0], "response.json"), "HOME=" + os.Getenv("HOME"), "SYSTEM_FAILURE_EXIT_CODE=2"}
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			m.Fatal(err)
		}
		both[i] = c
	}
	for _, c := range both {
		if err := c.Wait(); err != nil {
			m.Errorf("one of two cleanups at once: %v", err)
		}
	}
}
