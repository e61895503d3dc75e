//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// gitImage has bash and git, and no gitlab-runner.
const gitImage = "localhost/podman-executor/git:latest"

// withArtifact gives a job an artifact.
func withArtifact(j gitlab.Job) gitlab.Job {
	j.Artifacts = []gitlab.Artifact{{Name: "result", Paths: []string{"result"}, When: "always"}}
	return j
}

// A runner image without a gitlab-runner gets the one that runs on the host, and
// one that has another gets that in front.
func TestRunnerBinaryOfTheHost(t *testing.T) {
	t.Parallel()
	image := "localhost/podman-executor/e2e-old-runner:latest"
	dir := t.TempDir()
	write(t, filepath.Join(dir, "old"), "#!/bin/sh\necho the old one >&2\nexit 1\n")
	write(t, filepath.Join(dir, "Containerfile"), "FROM "+gitImage+"\nCOPY --chmod=0755 old /usr/bin/gitlab-runner\n")
	podman(t, "build", "--quiet", "--tag", image, dir)
	t.Cleanup(func() { podman(t, "rmi", "--force", image) })
	for _, runnerImage := range []string{gitImage, image} {
		m := start(t, defaults(fmt.Sprintf("runner_image = %q", runnerImage)))
		run := m.run(withArtifact(job("artifact", "echo made > result")))
		succeeded(t, run)
		logs(t, run, "Uploading artifacts", "result: found 1 matching")
		lacks(t, run, "has no gitlab-runner", "Missing gitlab-runner", "the old one")
		if len(run.Artifacts()) != 1 {
			t.Errorf("%s: %d artifacts came up", runnerImage, len(run.Artifacts()))
		}
	}
}

// The runner lets a job pass whose artifacts nobody can upload. The job's author
// reads it before the job begins, where it matters.
func TestNoRunnerBinary(t *testing.T) {
	t.Parallel()
	m := start(t, defaults(fmt.Sprintf("runner_image = %q", gitImage), `runner_binary = "none"`))
	run := m.run(withArtifact(job("artifact", "echo made > result")))
	succeeded(t, run)
	logs(t, run, "podman-executor-prepare: warning: the runner image "+gitImage+" has no gitlab-runner: artifacts, caches and dependencies of this job will not work", "$ echo made", "Missing gitlab-runner. Uploading artifacts is disabled.")
	if len(run.Artifacts()) != 0 {
		t.Errorf("artifacts came up: %v", run.Artifacts())
	}
	run = m.run(job("nothing to move", "true"))
	succeeded(t, run)
	lacks(t, run, "has no gitlab-runner")
}

func TestRunnerBinaryGiven(t *testing.T) {
	t.Parallel()
	m := start(t, func(dir string) string {
		write(t, filepath.Join(dir, "my-runner"), "#!/bin/sh\necho \"called with $1\"\n")
		if err := os.Chmod(filepath.Join(dir, "my-runner"), 0o755); err != nil {
			t.Fatal(err)
		}
		return policyText(dir, nil, []string{fmt.Sprintf("runner_binary = %q", filepath.Join(dir, "my-runner"))})
	})
	run := m.run(withArtifact(job("artifact", "echo made > result")))
	succeeded(t, run)
	logs(t, run, "Uploading artifacts", "called with artifacts-uploader")

	m = start(t, defaults(`runner_binary = "/does/not/exist"`))
	run = m.run(job("no runner", "echo ran"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "error: looking for runner_binary: stat /does/not/exist: no such file or directory", "hint: fix "+m.dir+"/policy.toml:")
}
