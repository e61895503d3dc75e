// Command parity runs the same .gitlab-ci.yml files by gitlab-runner's docker
// executor over a podman service and by the driver, and compares what became of
// each job: state, failure reason, exit code and log.
//
//	parity [--keep DIRECTORY] [JOB...]
//
// It prints a table, and a diff for each job that differs in another way than
// differences.yml says; then, or when a difference of that file does not occur, it
// exits 1. With names of jobs it runs only those and what they come after. --keep
// writes the traces, and the logs of the runners, to a directory.
//
// PODMAN_EXECUTOR_BIN names the directory of the four programs, GITLAB_RUNNER
// the gitlab-runner.
package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"podman-executor/test/harness/gitlab"
)

//go:embed pipelines/*.yml
var pipelineFiles embed.FS

//go:embed differences.yml
var differencesText []byte

// timeout bounds both runs together.
const timeout = 15 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	same, err := parity(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "parity: error:", err)
		os.Exit(2)
	case !same:
		os.Exit(1)
	}
}

func parity(ctx context.Context, args []string, out io.Writer) (same bool, err error) {
	flags := flag.NewFlagSet("parity", flag.ContinueOnError)
	keep := flags.String("keep", "", "the `directory` that gets traces and logs")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	pipelines, err := loadPipelines(flags.Args())
	if err != nil {
		return false, err
	}
	expected, err := parseDifferences("differences.yml", differencesText)
	if err != nil {
		return false, err
	}
	if flags.NArg() > 0 {
		expected = slices.DeleteFunc(expected, func(d difference) bool { return !pipelines.have(d.Job) })
	}
	fmt.Fprintf(out, "running %d jobs by gitlab-runner's docker executor and by the driver; this takes some minutes\n\n", pipelines.count())
	report, err := run(ctx, pipelines, *keep, expected)
	if err != nil {
		return false, err
	}
	report.print(out)
	return report.same(), nil
}

// pipelines are those of the files, by the files' names.
type pipelines map[string]*gitlab.Pipeline

func (all pipelines) have(job string) bool {
	for _, p := range all {
		if slices.ContainsFunc(p.Jobs, func(j gitlab.PipelineJob) bool { return j.Job.Info.Name == job }) {
			return true
		}
	}
	return false
}

func (all pipelines) count() (jobs int) {
	for _, p := range all {
		jobs += len(p.Jobs)
	}
	return jobs
}

// loadPipelines reads the files. With names of jobs it leaves those and what they
// come after, and fails for a name that no job has.
func loadPipelines(names []string) (pipelines, error) {
	files, err := pipelineFiles.ReadDir("pipelines")
	if err != nil {
		return nil, err
	}
	all := pipelines{}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	for _, f := range files {
		text, err := pipelineFiles.ReadFile("pipelines/" + f.Name())
		if err != nil {
			return nil, err
		}
		p, err := gitlab.ParsePipeline(f.Name(), text)
		if err != nil {
			return nil, err
		}
		for _, j := range p.Jobs {
			if all.have(j.Job.Info.Name) {
				return nil, fmt.Errorf("%s: another file has a job %q, too", f.Name(), j.Job.Info.Name)
			}
		}
		if len(names) > 0 {
			p = only(p, wanted)
		}
		if len(p.Jobs) > 0 {
			all[strings.TrimSuffix(f.Name(), ".yml")] = p
		}
	}
	for _, name := range names {
		if !all.have(name) {
			return nil, fmt.Errorf("no file has a job %q", name)
		}
	}
	return all, nil
}

// only returns the pipeline with no jobs but the wanted ones and those that they
// come after, by stage or by needs.
func only(p *gitlab.Pipeline, wanted map[string]bool) *gitlab.Pipeline {
	wanted = maps.Clone(wanted)
	chosen := &gitlab.Pipeline{Stages: p.Stages}
	for _, j := range slices.Backward(p.Jobs) {
		if !wanted[j.Job.Info.Name] {
			continue
		}
		for _, before := range j.After {
			wanted[before] = true
		}
		chosen.Jobs = append(chosen.Jobs, j)
	}
	slices.Reverse(chosen.Jobs)
	return chosen
}
