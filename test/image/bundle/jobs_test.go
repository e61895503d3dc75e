//go:build image

package bundle

import (
	"context"
	"strings"
	"testing"

	"podman-executor/test/gitlab"
)

// The images of the tests' registry, by the names that jobs know.
const (
	debianImage = "docker.io/library/debian:trixie-slim"
	userImage   = "docker.io/library/user1000:latest"
	redisImage  = "docker.io/library/redis:latest"
	clientImage = "docker.io/library/clients:latest"
)

// run runs a job to its end.
func (m *machine) run(job gitlab.Job) *gitlab.Run {
	m.Helper()
	run := m.gitlab.Submit(job)
	m.wait(run)
	return run
}

func (m *machine) wait(run *gitlab.Run) {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), jobTime)
	defer cancel()
	if err := run.Wait(ctx); err != nil {
		m.Fatalf("job %q: %v\n%s", run.Job.Info.Name, err, run.Log())
	}
	m.Cleanup(func() {
		if m.Failed() {
			m.Logf("the log of job %q:\n%s", run.Job.Info.Name, run.Log())
		}
	})
}

func (m *machine) waitLog(run *gitlab.Run, text string) {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), jobTime)
	defer cancel()
	if err := run.WaitLog(ctx, text); err != nil {
		m.Fatalf("job %q: %v\n%s", run.Job.Info.Name, err, run.Log())
	}
}

func succeeded(t *testing.T, run *gitlab.Run) {
	t.Helper()
	if run.State() != gitlab.StateSuccess {
		t.Errorf("job %q is %s (%s, exit code %d), want success", run.Job.Info.Name, run.State(), run.FailureReason(), run.ExitCode())
	}
}

func logs(t *testing.T, run *gitlab.Run, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(run.Log(), text) {
			t.Errorf("the log of job %q lacks %q", run.Job.Info.Name, text)
		}
	}
}

func in(image string, j gitlab.Job) gitlab.Job {
	j.Image.Name = image
	return j
}

// TestJobs runs one job of each kind in one machine.
func TestJobs(t *testing.T) {
	m := newMachine(t)
	m.setUp()
	t.Run("hello", func(t *testing.T) {
		run := m.run(gitlab.NewJob("hello", "echo hello from $(id -un)"))
		succeeded(t, run)
		logs(t, run, "hello from root", "docker.io/library/debian:trixie-slim")
	})
}
