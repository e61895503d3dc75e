//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/harness/runner"
)

// The config.toml of examples/ runs a job, with nothing changed but the
// addresses that it leaves open.
func TestExampleConfiguration(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("examples/config.toml")
	if err != nil {
		t.Fatal(err)
	}
	m := startConfigured(t, 4, defaults(), func(c runner.Config) string {
		config := string(text)
		for old, replacement := range map[string]string{
			"https://gitlab.example.com":      c.URL,
			"glrt-REPLACE-ME":                 c.Token,
			"/usr/libexec/podman-executor/":   c.Driver + "/podman-executor-",
			"# config_args":                   "config_args",
			"# prepare_args":                  "prepare_args",
			"# verify_server_url":             "verify_server_url",
			"/etc/podman-executor/other.toml": filepath.Join(c.Dir, "policy.toml"),
		} {
			if !strings.Contains(config, old) {
				t.Fatalf("examples/config.toml lacks %q", old)
			}
			config = strings.ReplaceAll(config, old, replacement)
		}
		return config
	})
	run := m.run(job("example", "echo ran"))
	succeeded(t, run)
	logs(t, run, "ran", "Job succeeded")
}

// The pipeline of `make demo`.
func TestDemo(t *testing.T) {
	t.Parallel()
	pipeline, err := gitlab.LoadPipeline("examples/demo/.gitlab-ci.yml")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := os.ReadFile("examples/demo/policy.toml")
	if err != nil {
		t.Fatal(err)
	}
	m := startConcurrent(t, 2, func(string) string {
		return strings.Replace(string(policy), "[general.podman]\n", "[general.podman]\n"+storageEnvironment()+"\n", 1)
	})
	build, err := os.ReadFile("examples/demo/build.sh")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*jobTime)
	defer cancel()
	repository, err := m.server.AddRepository(ctx, "demo/hello", gitlab.Commit{Files: map[string][]byte{"build.sh": build}})
	if err != nil {
		t.Fatal(err)
	}
	results, err := pipeline.Run(ctx, m.server, gitlab.PipelineOptions{Repository: repository})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"too much": "failed script_failure 1", "exit code": "failed script_failure 42",
		"compile": "success  0", "lint": "success  0", "run": "success  0", "not root": "success  0", "shared data": "success  0", "summary": "success  0", "service": "success  0",
	}
	if len(results) != len(want) {
		t.Errorf("%d jobs have run, want %d", len(results), len(want))
	}
	for _, r := range results {
		if r.Run == nil {
			t.Errorf("job %q is %s", r.Job, r.State)
			continue
		}
		if got := fmt.Sprintf("%s %s %d", r.State, r.Run.FailureReason(), r.Run.ExitCode()); got != want[r.Job] {
			t.Errorf("job %q is %q, want %q\n%s", r.Job, got, want[r.Job], r.Run.Log())
		}
	}
	m.nothingLeft()
}
