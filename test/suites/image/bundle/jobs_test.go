//go:build image

package bundle

import (
	"context"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// The images of the tests' registry, by the names that jobs know.
const (
	debianImage  = "docker.io/library/debian:trixie-slim"
	userImage    = "docker.io/library/user1000:latest"
	redisImage   = "docker.io/library/redis:latest"
	clientImage  = "docker.io/library/clients:latest"
	buildahImage = "docker.io/library/buildah:latest"
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

// kind is what one kind of job is tested by.
type kind struct {
	name string
	test func(*machine)
}

// each tests kinds of jobs one after the other.
func (m *machine) each(kinds []kind) {
	m.Helper()
	for _, k := range kinds {
		m.Run(k.name, func(t *testing.T) {
			sub := *m
			sub.T = t
			k.test(&sub)
		})
	}
}

// A job of each kind, one after the other, on one machine.
func TestJobs(t *testing.T) {
	m := newMachine(t)
	m.setUp()
	m.each([]kind{
		{"hello", hello},
		{"the first job pulls no runner image", runnerImageIsThere},
		{"git and artifacts", gitAndArtifacts},
		{"services", services},
		{"a user of its own", userOfItsOwn},
		{"apt-get", aptGet},
		{"high ids", highIDs},
		{"exit code", exitCode},
		{"cancel", cancelled},
		{"four at once", fourAtOnce},
		{"cgroup", cgroupOfAJob},
		{"unprivileged", unprivileged},
	})
	if t.Failed() {
		return
	}
	if out := m.podmanInside("ps", "--all", "--format", "{{.Names}}"); out != "" {
		t.Errorf("containers are left of jobs that are over: %s", out)
	}
	if calls := m.gitlab.Unexpected(); len(calls) > 0 {
		t.Errorf("calls that no GitLab gets: %q", calls)
	}
}

func hello(m *machine) {
	run := m.run(gitlab.NewJob("hello", "echo hello from $(id -un)"))
	succeeded(m.T, run)
	logs(m.T, run, "hello from root", "docker.io/library/debian:trixie-slim")
}

// The runner image is in the store that came with the image, and stays there.
func runnerImageIsThere(m *machine) {
	out := m.podmanInside("images", "--format", "{{.Repository}}:{{.Tag}} {{.ReadOnly}}")
	if !strings.Contains(out, "localhost/podman-executor/runner:latest true") {
		m.Errorf("the runner image is not in the read-only store:\n%s", out)
	}
}

func gitAndArtifacts(m *machine) {
	repo, err := m.gitlab.AddRepository(m.Context(), "group/bundle", gitlab.Commit{Files: map[string][]byte{"greeting.txt": []byte("from the repository\n")}})
	if err != nil {
		m.Fatal(err)
	}
	build := gitlab.NewJob("build", "cat greeting.txt", "tr a-z A-Z <greeting.txt >shout.txt")
	repo.Checkout(&build, "main")
	build.Artifacts = []gitlab.Artifact{{Paths: []string{"shout.txt"}, When: "on_success"}}
	first := m.run(build)
	succeeded(m.T, first)
	logs(m.T, first, "from the repository")
	dependency, ok := first.Dependency()
	if !ok {
		m.Fatal("the job has left no artifacts")
	}
	deploy := gitlab.NewJob("deploy", "cat shout.txt")
	repo.Checkout(&deploy, "main")
	deploy.Dependencies = []gitlab.Dependency{dependency}
	second := m.run(deploy)
	succeeded(m.T, second)
	logs(m.T, second, "FROM THE REPOSITORY")
}

func services(m *machine) {
	job := in(clientImage, gitlab.NewJob("services", "redis-cli -h store set key value-of-redis", "redis-cli -h redis get key"))
	job.Services = []gitlab.Image{{Name: "redis:latest", Alias: "store"}}
	run := m.run(job)
	succeeded(m.T, run)
	logs(m.T, run, "value-of-redis")
}

func userOfItsOwn(m *machine) {
	repo, err := m.gitlab.AddRepository(m.Context(), "group/user", gitlab.Commit{Files: map[string][]byte{"README": []byte("read me\n")}})
	if err != nil {
		m.Fatal(err)
	}
	job := in(userImage, gitlab.NewJob("user", "echo uid $(id -u)", "cat README", "touch mine", "git status --short || true"))
	repo.Checkout(&job, "main")
	run := m.run(job)
	succeeded(m.T, run)
	logs(m.T, run, "uid 1000", "read me")
}

// apt-get changes to the user _apt with the group nogroup, 65534: without that id
// it says "setgroups 65534 failed".
func aptGet(m *machine) {
	run := m.run(gitlab.NewJob("apt-get", "apt-get -qq update", "apt-get -qq install --no-install-recommends -y hello </dev/null", "hello"))
	succeeded(m.T, run)
	logs(m.T, run, "Hello, world!")
}

// Images own files by ids up to 65535, the last one of 16 bits.
func highIDs(m *machine) {
	run := m.run(gitlab.NewJob("ids", "touch f && for id in 65534 65535; do chown $id:$id f && stat -c 'owned by %u:%g' f; done"))
	succeeded(m.T, run)
	logs(m.T, run, "owned by 65534:65534", "owned by 65535:65535")
}

func exitCode(m *machine) {
	run := m.run(gitlab.NewJob("exit code", "exit 42"))
	if run.State() != gitlab.StateFailed || run.FailureReason() != "script_failure" || run.ExitCode() != 42 {
		m.Errorf("the job is %s (%s, exit code %d), want failed (script_failure, exit code 42)", run.State(), run.FailureReason(), run.ExitCode())
	}
}

func cancelled(m *machine) {
	job := gitlab.NewJob("cancel", "trap 'echo told to stop; exit 3' TERM", "echo started", "while :; do echo .; sleep 0.5; done")
	job.AddAfterScript("echo after the script")
	run := m.gitlab.Submit(job)
	m.waitLog(run, "started")
	run.Cancel()
	m.wait(run)
	if run.State() != gitlab.StateFailed || run.FailureReason() != "job_canceled" {
		m.Errorf("the job is %s (%s), want failed (job_canceled)", run.State(), run.FailureReason())
	}
	logs(m.T, run, "told to stop", "after the script")
}

// Each of the jobs waits until all four run.
func fourAtOnce(m *machine) {
	job := gitlab.NewJob("one of four", "echo here", "until test -e /tmp/go; do sleep 0.1; done")
	job.Cache = []gitlab.Cache{}
	var runs []*gitlab.Run
	for range 4 {
		runs = append(runs, m.gitlab.Submit(job))
	}
	for _, run := range runs {
		m.waitLog(run, "here\n")
	}
	names := strings.Fields(m.podmanInside("ps", "--filter", "label=io.podman-executor.role=user", "--format", "{{.Names}}"))
	if len(names) != 4 {
		m.Errorf("containers of four jobs at once: %q", names)
	}
	for _, name := range names {
		m.podmanInside("exec", name, "touch", "/tmp/go")
	}
	for _, run := range runs {
		m.wait(run)
		succeeded(m.T, run)
	}
}

// Limits hold for a job's container since its cgroup is below podman.service's,
// which systemd has handed to podman.
func cgroupOfAJob(m *machine) {
	job := gitlab.NewJob("cgroup", "echo started", "until test -e /tmp/go; do sleep 0.1; done")
	run := m.gitlab.Submit(job)
	m.waitLog(run, "started\n")
	name := m.podmanInside("ps", "--filter", "label=io.podman-executor.role=user", "--format", "{{.Names}}")
	pid := m.podmanInside("inspect", "--format", "{{.State.Pid}}", name)
	out, err := m.inside("root", "cat", "/proc/"+pid+"/cgroup")
	if err != nil || !strings.Contains(out, "/system.slice/podman.service/jobs/libpod-") {
		m.Errorf("the job's container is in the cgroup %s (%v)", out, err)
	}
	m.podmanInside("exec", name, "touch", "/tmp/go")
	m.wait(run)
	succeeded(m.T, run)
}

// NESTED_PRIVILEGED is false: jobs have podman's own set of capabilities.
func unprivileged(m *machine) {
	run := m.run(gitlab.NewJob("capabilities", "grep CapBnd /proc/self/status", "mount -t tmpfs none /mnt || echo cannot mount"))
	succeeded(m.T, run)
	logs(m.T, run, "00000000800405fb", "cannot mount")
}
