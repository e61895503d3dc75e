//go:build e2e

package e2e

import (
	"path/filepath"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// refused checks that prepare refused a job, once, with an error and a hint.
func refused(t *testing.T, run *gitlab.Run, texts ...string) {
	t.Helper()
	failed(t, run, "script_failure", 1)
	logs(t, run, append(append([]string{"podman-executor-prepare: error: "}, texts...), "podman-executor-prepare: hint: ")...)
	lacks(t, run, "Will be retried in", "goroutine", "panic", "*errors.", "$ echo ran")
}

func TestImageAllowList(t *testing.T) {
	t.Parallel()
	m := start(t, defaults(`image_allow_list = ["docker.io/library/debian:.*", "registry.example.com/team/.*"]`))
	succeeded(t, m.run(in("debian:trixie-slim", job("allowed", "echo ran"))))
	for image, shown := range map[string]string{
		busyboxImage: busyboxImage,
		"evil.example.com/docker.io/library/debian:13":                                   "evil.example.com/docker.io/library/debian:13",
		"debian@sha256:0123456789012345678901234567890123456789012345678901234567890123": "docker.io/library/debian@sha256:0123456789012345678901234567890123456789012345678901234567890123",
		"4e9f94":                   "docker.io/library/4e9f94:latest",
		"dir:/etc":                 "dir:/etc",
		"docker-archive:/etc/motd": "docker-archive:/etc/motd",
		"--privileged":             "--privileged",
	} {
		run := m.run(in(image, job("refused", "echo ran")))
		refused(t, run, shown)
	}
}

// default_image is the administrator's own: the allow list is not for it.
func TestDefaultImage(t *testing.T) {
	t.Parallel()
	m := start(t, defaults(`image_allow_list = ["registry.example.com/.*"]`))
	run := m.run(job("default image", "cat /etc/debian_version"))
	succeeded(t, run)
	logs(t, run, "Using image "+debianImage, "13")
}

func TestNoImageAndNoDefault(t *testing.T) {
	t.Parallel()
	m := start(t, defaults("-default_image"))
	run := m.run(job("no image", "echo ran"))
	refused(t, run, "the job has no `image:`", "has no default_image")
	logs(t, run, "hint: add `image:` to the job in .gitlab-ci.yml, or ask the administrator to set default_image in "+m.dir+"/policy.toml\n")
}

func TestImageWithoutShell(t *testing.T) {
	t.Parallel()
	image := "localhost/podman-executor/e2e-no-shell:latest"
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a-file"), "no shell here")
	write(t, filepath.Join(dir, "Containerfile"), "FROM scratch\nCOPY a-file /a-file\n")
	podman(t, "build", "--quiet", "--tag", image, dir)
	t.Cleanup(func() { podman(t, "rmi", "--force", image) })
	rows := map[string][]string{"prepare": nil, "run": {"start_per_step = true"}}
	if overService() { // there, the first start is that of a step
		delete(rows, "prepare")
	}
	for program, keys := range rows {
		m := start(t, defaults(keys...))
		run := m.run(in(image, job("no shell, "+program, "echo ran")))
		failed(t, run, "script_failure", 1)
		logs(t, run, "podman-executor-"+program+": error: ", "podman-executor-"+program+": hint: the image has no `sh`")
	}
}

func TestPolicyThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, policy, want string
	}{
		{"missing", "", "opening the policy"},
		{"bad", "[general]\nrun_mechanism = \"docker\"\ncolour = 1\n[general.podman]\nimage_allow_list = [\"(\"]\n", "policy.toml:2: general.run_mechanism"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := start(t, func(string) string { return row.policy })
			run := m.run(job("policy "+row.name, "echo ran"))
			failed(t, run, "runner_system_failure", 0)
			logs(t, run, "podman-executor-config: error: ", row.want)
			// The last failure announces a retry, too (gitlab-runner common/build.go:1371).
			if n := count(run, "Will be retried in"); n != 3 {
				t.Errorf("preparing has failed %d times, want 3", n)
			}
			lacks(t, run, "$ echo ran")
		})
	}
}

// The policy may change while a job is under way: the job has its plan.
func TestPolicyReplacedInTheMiddle(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.server.Submit(job("replaced", "echo started", "sleep 2", "echo ended"))
	m.waitLog(run, "started")
	if err := m.runner.SetPolicy("this is not a policy"); err != nil {
		t.Fatal(err)
	}
	m.wait(run)
	succeeded(t, run)
	m.nothingLeft()
}

// jacamarPolicy is the "Test Deployment" section of Jacamar CI's merge request that
// brought its podman mechanism, word for word.
const jacamarPolicy = `[general]
run_mechanism = "podman"

[general.podman]
application_path = "/usr/bin/podman"
# I've setup this image as a functional test; however, you can create your own so long
# as bash/gitlab-runner/git applications are available.
runner_image = "registry.gitlab.com/ecp-ci/jacamar-ci/alpine-runner:latest"
# This can be any image you want, so long as the user has the ability to pull it 
# without additional authentication.
default_image = "docker.io/library/debian:latest"
`

// Both images are the administrator's, so that they need not be pulled where
// they are present, as here.
func TestJacamarPolicy(t *testing.T) {
	t.Parallel()
	if storageEnvironment() != "" {
		t.Skip("this policy cannot name the storage of the tests, and podman's own is not for tests: run them as root")
	}
	m := start(t, func(string) string { return jacamarPolicy })
	j := job("jacamar", "cat /etc/debian_version")
	j.AddAfterScript("echo after")
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "Using image registry.gitlab.com/ecp-ci/jacamar-ci/alpine-runner:latest", "Using image docker.io/library/debian:latest", "13", "after")
}
