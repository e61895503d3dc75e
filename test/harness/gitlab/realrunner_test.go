package gitlab

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// startRunner runs the gitlab-runner that the environment names, with the shell
// executor, until the test ends. Without one the test is skipped: see
// ../gitlab-runner for how to build it.
func startRunner(t *testing.T, server *Server) {
	t.Helper()
	binary := os.Getenv("GITLAB_RUNNER")
	if binary == "" {
		t.Skip("GITLAB_RUNNER does not name a gitlab-runner to test against")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	text := fmt.Sprintf(`concurrent = 4
check_interval = 1
[[runners]]
  name = "shell"
  url = %q
  token = %q
  executor = "shell"
  shell = "bash"
  builds_dir = %q
  cache_dir = %q
  request_concurrency = 2
  [runners.feature_flags]
    FF_TIMESTAMPS = false
`, server.URL(), DefaultRunnerToken, filepath.Join(dir, "builds"), filepath.Join(dir, "cache"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "run", "--config", config, "--working-directory", dir)
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir}
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // ended by SIGTERM: never status 0
}

// long is enough for several jobs on a slow machine.
func long(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func wantLog(t *testing.T, run *Run, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(run.Log(), text) {
			t.Errorf("job %s does not print %q:\n%s", run.Job.Info.Name, text, run.Log())
		}
	}
}

func TestRealRunnerJobs(t *testing.T) {
	server, _ := start(t)
	startRunner(t, server)
	ctx := long(t)

	success := NewJob("success", "echo hello $CI_JOB_NAME", "echo token $CI_JOB_TOKEN")
	success.FinalReplies = []int{412}
	failure := NewJob("failure", "exit 42")
	failure.AddAfterScript("echo after $CI_JOB_STATUS")
	loop := NewJob("loop", "while :; do echo tick; sleep 1; done")
	loop.AddAfterScript("echo after $CI_JOB_STATUS")
	slow := loop
	slow.SetTimeout(4)
	good, bad, cancelled, aborted, late := server.Submit(success), server.Submit(failure), server.Submit(loop), server.Submit(loop), server.Submit(slow)
	go func() {
		_ = cancelled.WaitLog(ctx, "tick") // a failure shows in Wait below
		cancelled.Cancel()
	}()
	go func() {
		_ = aborted.WaitLog(ctx, "tick")
		aborted.Abort()
	}()
	for _, run := range []*Run{good, bad, cancelled, aborted, late} {
		if err := run.Wait(ctx); err != nil {
			t.Fatalf("%v\n%s", err, run.Log())
		}
	}
	wantEnd(t, good, StateSuccess, "", 0)
	wantLog(t, good, "hello success", "token [MASKED]", "Job succeeded")
	wantEnd(t, bad, StateFailed, "script_failure", 42)
	wantLog(t, bad, "after failed", "ERROR: Job failed: exit status 42")
	wantEnd(t, cancelled, StateFailed, "job_canceled", 0)
	wantLog(t, cancelled, "tick", "after canceled")
	wantEnd(t, aborted, StateFailed, "job_canceled", 0)
	wantLog(t, aborted, "ERROR: Job failed: canceled")
	if strings.Contains(aborted.Log(), "after canceled") {
		t.Errorf("after_script of an aborted job ran:\n%s", aborted.Log())
	}
	wantEnd(t, late, StateFailed, "job_execution_timeout", 0)

	path := fmt.Sprintf("/api/v4/jobs/%d", good.Job.ID)
	var finals []string
	for _, r := range good.Requests() {
		if r.Method == "PUT" {
			finals = append(finals, r.String())
		}
	}
	if diff := cmp.Diff([]string{"PUT " + path + ": 200", "PUT " + path + ": 412", "PUT " + path + ": 200"}, finals); diff != "" {
		t.Errorf("updates (-want +got):\n%s", diff)
	}
	if got := good.Requests()[0].String(); got != "POST /api/v4/jobs/request: 201" {
		t.Errorf("first call is %s", got)
	}
	wantExpected(t, server)
}

const realPipeline = `
variables: {GIT_SUBMODULE_STRATEGY: recursive, GIT_DEPTH: 1}
build:
  stage: build
  script:
    - cat main.txt sub/lib.txt > out.txt
    - mkdir -p kept && echo cached > kept/file
  artifacts: {paths: [out.txt], expire_in: 1 week}
  cache: {paths: [kept]}
check:
  script:
    - cat out.txt kept/file
    - git rev-list --count HEAD
  cache: {paths: [kept], policy: pull}
fails:
  script: exit 3
never:
  stage: deploy
  script: echo
`

func TestRealRunnerPipeline(t *testing.T) {
	server, _ := start(t)
	sub := addRepository(t, server, "group/sub", Commit{Files: files("lib.txt", "library\n")})
	repo := addRepository(t, server, "group/app",
		Commit{Files: files("main.txt", "old\n")},
		Commit{
			Files:      files("main.txt", "program\n"),
			Submodules: []Submodule{{Path: "sub", URL: "../sub.git", SHA: sub.SHA("main")}},
		})
	startRunner(t, server)
	var lines []string
	results, err := mustParse(t, realPipeline).Run(long(t), server, PipelineOptions{
		Repository: repo,
		Edit:       func(j *Job) { j.Git.Depth = 1 },
		Line: func(job, line string) {
			if job == "check" {
				lines = append(lines, CleanLog([]byte(line)))
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, r := range results {
		states = append(states, r.Job+" "+string(r.State))
		if r.Run != nil {
			t.Logf("%s took %v\n%s", r.Job, r.Duration, r.Run.Log())
		}
	}
	if diff := cmp.Diff([]string{"build success", "check success", "fails failed", "never skipped"}, states); diff != "" {
		t.Fatalf("results (-want +got):\n%s", diff)
	}
	archives := results[0].Run.Artifacts()
	if len(archives) != 1 {
		t.Fatalf("%d uploads", len(archives))
	}
	archive, err := archives[0].FS()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := fs.ReadFile(archive, "out.txt"); err != nil || string(out) != "program\nlibrary\n" {
		t.Errorf("out.txt in the archive: %q, %v", out, err)
	}
	for _, want := range []string{"program", "library", "cached", "1"} {
		if !strings.Contains("\n"+strings.Join(lines, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("check does not print the line %q", want)
		}
	}
	wantExpected(t, server)
}
