// Command load runs many jobs of different kinds at a time through a real
// gitlab-runner and the driver, and checks that each ends as its script says and
// that nothing is left.
//
//	load [--jobs N] [--parallel N]
//
// It prints a table: how many jobs of each kind there were, how long they took, and
// the most memory that each of the four programs had. It exits 1 when a job has
// ended otherwise, when something is left, when a name was "already in use", or
// when a program has grown.
//
// PODMAN_EXECUTOR_BIN names the directory of the four programs, GITLAB_RUNNER
// the gitlab-runner.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/harness/runner"
)

// jobTime is what a job may take on a machine of two cores, beside seven others;
// all together have as much for each.
const jobTime = time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	problems, err := load(ctx, os.Args[1:], os.Stdout)
	stop()
	for _, p := range problems {
		fmt.Println("load: wrong:", p)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "load: error:", err)
		os.Exit(2)
	case len(problems) > 0:
		os.Exit(1)
	}
}

func load(ctx context.Context, args []string, out io.Writer) (problems []string, err error) {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	jobs := flags.Int("jobs", 200, "how many jobs run")
	parallel := flags.Int("parallel", 8, "how many of them at a time")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(*jobs)*jobTime)
	defer cancel()
	m, err := newMachine(*parallel)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close(context.WithoutCancel(ctx))) }()
	memory := watchMemory(m.tempDir())
	started := time.Now()
	ran := m.submit(ctx, *jobs)
	for _, j := range ran {
		if err := j.run.Wait(ctx); err != nil {
			return nil, err
		}
	}
	took := time.Since(started)
	peaks := memory.stop()
	for _, j := range ran {
		if wrong := j.wrong(); wrong != "" {
			problems = append(problems, wrong)
		}
	}
	problems = append(problems, m.leftWithin(ctx, leftoverTime)...)
	problems = append(problems, m.inUse(ran)...)
	problems = append(problems, peaks.grown()...)
	report(out, ran, took, *parallel, peaks)
	return problems, nil
}

// machine is a GitLab and a runner.
type machine struct {
	server *gitlab.Server
	runner *runner.Runner
	// token is the runner's, in its short form: names of containers and volumes
	// begin with podman-executor-TOKEN-.
	token, dir string
}

const policy = `[general]
run_mechanism = "podman"
log_file = %q
log_level = "debug"
state_dir = %q
[general.podman]
runner_image = "localhost/podman-executor/runner:latest"
default_image = "docker.io/library/debian:trixie-slim"
image_pull_policy = "missing"
runner_options = ["--network=host"] # GitLab listens on loopback
%s
`

func newMachine(parallel int) (*machine, error) {
	dir, err := os.MkdirTemp("", "podman-executor-load-")
	if err != nil {
		return nil, err
	}
	m := &machine{token: strings.ToLower(rand.Text()[:9]), dir: dir}
	token := "glrt-" + m.token + "-rest-of-the-token"
	if m.server, err = gitlab.Start(gitlab.Options{RunnerToken: token}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	storage := ""
	// Where the storage is not the user's own, podman must be told.
	if file := os.Getenv("CONTAINERS_STORAGE_CONF"); file != "" {
		storage = fmt.Sprintf("environment = [%q]", "CONTAINERS_STORAGE_CONF="+file)
	}
	m.runner, err = runner.Start(runner.Config{
		Program: os.Getenv("GITLAB_RUNNER"), Driver: os.Getenv("PODMAN_EXECUTOR_BIN"),
		URL: m.server.URL(), Token: token, Dir: dir, Concurrent: parallel,
		Policy: fmt.Sprintf(policy, m.driverLog(), filepath.Join(dir, "state"), storage),
	})
	if err != nil {
		return nil, errors.Join(err, m.server.Close(), os.RemoveAll(dir))
	}
	return m, nil
}

func (m *machine) driverLog() string { return filepath.Join(m.dir, "driver.log") }

func (m *machine) tempDir() string { return m.runner.TempDir() }

// submit hands in the jobs, the kinds by turns, and cancels those that are to be.
func (m *machine) submit(ctx context.Context, n int) []*submitted {
	var list []*submitted
	for i := range n {
		k := kinds[i%len(kinds)]
		j := &submitted{kind: k, number: i}
		j.run = m.server.Submit(k.job(i))
		list = append(list, j)
		if k.reason == cancelledReason {
			go func() {
				if err := j.run.WaitLog(ctx, "tick"); err == nil {
					j.run.Cancel()
				}
			}()
		}
	}
	return list
}

// close ends everything, and removes the volumes of the jobs.
func (m *machine) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := errors.Join(m.runner.Stop(ctx), m.server.Close())
	for _, name := range m.named(ctx, "volume", "ls", "--format", "{{.Name}}") {
		_, rmErr := podman(ctx, "volume", "rm", name)
		err = errors.Join(err, rmErr)
	}
	return errors.Join(err, os.RemoveAll(m.dir))
}
