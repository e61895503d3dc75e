// Command demo runs a .gitlab-ci.yml through a real gitlab-runner and the driver
// in real podman, shows the jobs' logs live, and closes with a table.
//
//	demo DIRECTORY
//
// The directory holds .gitlab-ci.yml, policy.toml and the project's files.
// PODMAN_EXECUTOR_BIN names the directory of the four programs, GITLAB_RUNNER
// the gitlab-runner.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/harness/runner"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	passed, err := demo(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo: error:", err)
		os.Exit(2)
	case !passed:
		os.Exit(1)
	}
}

// parallel is the number of jobs at a time.
const parallel = 2

// timeout bounds the whole demo.
const timeout = 10 * time.Minute

func demo(ctx context.Context, args []string, out io.Writer) (passed bool, err error) {
	if len(args) != 1 {
		return false, errors.New("want the directory of a project")
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	pipeline, err := gitlab.LoadPipeline(filepath.Join(args[0], ".gitlab-ci.yml"))
	if err != nil {
		return false, err
	}
	server, err := gitlab.Start(gitlab.Options{})
	if err != nil {
		return false, err
	}
	defer server.Close()
	repository, err := project(ctx, server, args[0])
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "podman-executor-demo-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	r, err := startRunner(server, args[0], dir)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(out, "GitLab is at %s, gitlab-runner has the pid %d; its jobs:\n\n", server.URL(), r.PID())
	results, err := pipeline.Run(ctx, server, gitlab.PipelineOptions{Repository: repository, Change: changed(out), Line: live(out)})
	stopCtx, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer stop()
	err = errors.Join(err, r.Stop(stopCtx))
	table(out, results)
	return gitlab.Passed(results), err
}

// project makes a repository of the directory's files.
func project(ctx context.Context, server *gitlab.Server, dir string) (*gitlab.Repository, error) {
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		files[strings.TrimPrefix(name, filepath.Clean(dir)+"/")] = text
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the project: %w", err)
	}
	return server.AddRepository(ctx, "demo/hello", gitlab.Commit{Message: "The demo", Files: files})
}

func startRunner(server *gitlab.Server, project, dir string) (*runner.Runner, error) {
	policy, err := os.ReadFile(filepath.Join(project, "policy.toml"))
	if err != nil {
		return nil, err
	}
	text := string(policy)
	// Where the storage is not the user's own, podman must be told.
	if storage := os.Getenv("CONTAINERS_STORAGE_CONF"); storage != "" {
		text = strings.Replace(text, "[general.podman]\n", fmt.Sprintf("[general.podman]\nenvironment = [%q]\n", "CONTAINERS_STORAGE_CONF="+storage), 1)
	}
	return runner.Start(runner.Config{
		Program: os.Getenv("GITLAB_RUNNER"), Driver: os.Getenv("PODMAN_EXECUTOR_BIN"),
		URL: server.URL(), Token: gitlab.DefaultRunnerToken, Dir: dir, Policy: text, Concurrent: parallel,
	})
}

// live prints the jobs' lines as they come.
func live(out io.Writer) func(job, line string) {
	return func(job, line string) {
		if text := strings.TrimRight(gitlab.CleanLog([]byte(line+"\n")), "\n"); text != "" {
			fmt.Fprintf(out, "%12s | %s\n", job, text)
		}
	}
}

// changed prints what becomes of a job.
func changed(out io.Writer) func(gitlab.Result) {
	return func(r gitlab.Result) {
		if r.State != gitlab.StatePending {
			fmt.Fprintf(out, "%12s * %s\n", r.Job, r.State)
		}
	}
}

func table(out io.Writer, results []gitlab.Result) {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "STAGE\tJOB\tSTATE\tSECONDS")
	for _, r := range results {
		state := string(r.State)
		if r.State == gitlab.StateFailed && r.Run != nil {
			state += fmt.Sprintf(" (%s, exit code %d)", r.Run.FailureReason(), r.Run.ExitCode())
		}
		if r.Allowed && r.State == gitlab.StateFailed {
			state += ", allowed"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f\n", r.Stage, r.Job, state, r.Duration.Seconds())
	}
	_ = w.Flush()
}
