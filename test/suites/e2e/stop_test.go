//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// endless prints, so that the runner asks the coordinator how the job is.
var endless = []string{"echo started", "while :; do echo tick; sleep 1; done"}

// stubborn does not end at SIGTERM.
var stubborn = []string{"trap 'echo ignored' TERM", "(trap '' TERM; while :; do echo tick; sleep 1; done) & ", "echo started", "while :; do wait; sleep 1; done"}

func TestCancel(t *testing.T) {
	t.Parallel()
	for name, script := range map[string][]string{"endless": endless, "stubborn": stubborn} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := start(t, defaults())
			j := job("cancelled "+name, append([]string{"echo kept >/tmp/file"}, script...)...)
			j.AddAfterScript("echo after_script saw $CI_JOB_STATUS and $(cat /tmp/file)")
			run := m.server.Submit(j)
			m.waitLog(run, "tick")
			run.Cancel()
			m.wait(run)
			m.nothingLeft()
			failed(t, run, "job_canceled", 0)
			logs(t, run, "tick", "after_script saw canceled and kept")
			lacks(t, run, "podman-executor-run: error")
		})
	}
}

// A cancel while images are pulled and containers made.
func TestCancelPrepare(t *testing.T) {
	t.Parallel()
	m := start(t, defaults(`runner_options = ["--network=host", "--no-such-option"]`))
	run := m.server.Submit(job("cancelled in prepare", "echo ran"))
	m.waitLog(run, "Will be retried in")
	run.Abort()
	m.wait(run)
	m.nothingLeft()
	lacks(t, run, "$ echo ran")
	logs(t, run, "podman-executor-prepare: error: creating the container", "podman-executor-prepare: hint: check ", "general.podman.runner_options")
}

func TestAbort(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := job("aborted", endless...)
	j.AddAfterScript("echo after_script ran")
	run := m.server.Submit(j)
	m.waitLog(run, "tick")
	run.Abort()
	ended := time.Now()
	m.wait(run)
	m.leftoversWithin(ended)
	if run.State() == gitlab.StateSuccess {
		t.Errorf("an aborted job is a success")
	}
	lacks(t, run, "after_script ran")
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := job("timed out", endless...)
	j.AddAfterScript("echo after_script ran")
	const seconds = 45 // of which a busy machine takes most before the script begins
	j.SetTimeout(seconds)
	run := m.run(j)
	failed(t, run, "job_execution_timeout", 0)
	logs(t, run, "tick", fmt.Sprintf("ERROR: Job failed: execution took longer than %ds seconds", seconds))
}

// leftoversWithin checks that nothing is left soon after the end was asked for.
func (m *machine) leftoversWithin(asked time.Time) {
	m.Helper()
	m.nothingLeft()
	if late := time.Since(asked); late > 2*leftoverTime() {
		m.Errorf("the job's end took %s", late)
	}
}

// A runner that is killed calls no cleanup. Its programs notice, and end the step;
// where they were killed with it, the container notices. The next job removes
// the rest.
func TestRunnerKilled(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*machine){
		"alone":             func(m *machine) { m.runner.Kill() },
		"with its programs": func(m *machine) { m.killDriver(); m.runner.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := start(t, defaults())
			run := m.server.Submit(job("dies with its runner", stubborn...))
			m.waitLog(run, "tick")
			kill(m)
			if len(m.leftovers()) == 0 {
				t.Fatal("the killed runner's job has left nothing: this test shows nothing")
			}
			if err := m.runner.Restart(); err != nil {
				t.Fatal(err)
			}
			succeeded(t, m.run(job("next", "echo next")))
		})
	}
}

// A runner that is told to shut down aborts its jobs and cleans up.
func TestRunnerShutsDown(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.server.Submit(job("interrupted", endless...))
	m.waitLog(run, "tick")
	if err := m.runner.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.wait(run)
	m.nothingLeft()
	failed(t, run, "runner_interrupted", 0)
}

// killDriver kills the programs of this machine's jobs.
func (m *machine) killDriver() {
	m.Helper()
	killed := 0
	for _, p := range processesWith("TMPDIR=" + m.dir) {
		if strings.HasPrefix(p.name, "podman-executor") && p.pid != m.runner.PID() {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
			killed++
		}
	}
	if killed == 0 {
		m.Fatal("no program of the driver runs")
	}
}
