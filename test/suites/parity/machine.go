package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/harness/podmanservice"
	"podman-executor/test/harness/runner"
)

// machine is what the executors share.
type machine struct {
	// dir has a directory for each run of a pipeline.
	dir      string
	registry *registry
	service  *podmanservice.Service
	// keep gets the traces and logs, if it is not empty.
	keep string
}

// prepareMachine starts the registry and the podman service.
func prepareMachine(ctx context.Context, keep string) (m *machine, err error) {
	m = &machine{keep: keep}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	if m.dir, err = os.MkdirTemp("", "parity-"); err != nil {
		return nil, err
	}
	if m.registry, err = startRegistry(); err != nil {
		return nil, err
	}
	if err := os.WriteFile(m.registriesFile(), fmt.Appendf(nil, registriesConf, m.registry.address), 0o600); err != nil {
		return nil, err
	}
	m.service, err = podmanservice.Start(ctx, filepath.Join(m.dir, "podman.sock"), m.podmanEnv())
	return m, err
}

func (m *machine) close() {
	if m.service != nil {
		m.service.Stop()
		if m.keep != "" {
			_ = os.WriteFile(filepath.Join(m.keep, "podman-service.log"), []byte(m.service.Log()), 0o644) // for people only
		}
	}
	if m.registry != nil {
		m.registry.close()
	}
	_ = os.RemoveAll(m.dir)
}

const registriesConf = `unqualified-search-registries = ["docker.io"]
[[registry]]
location = %q
insecure = true
`

func (m *machine) registriesFile() string { return filepath.Join(m.dir, "registries.conf") }

// podmanEnv are the variables that the podman of both executors needs beside the
// usual ones.
func (m *machine) podmanEnv() []string {
	env := []string{"CONTAINERS_REGISTRIES_CONF=" + m.registriesFile()}
	for _, name := range []string{"CONTAINERS_STORAGE_CONF", "CONTAINERS_CONF"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// runPart runs one pipeline by one executor, with a GitLab and a runner of its
// own.
func (m *machine) runPart(ctx context.Context, p *part) error {
	token := "glrt-" + strings.ToLower(rand.Text()[:9]) + rand.Text()
	server, err := gitlab.Start(gitlab.Options{RunnerToken: token})
	if err != nil {
		return err
	}
	defer server.Close()
	repository, err := addProject(ctx, server)
	if err != nil {
		return err
	}
	r, err := runner.Start(runner.Config{
		Program: os.Getenv("GITLAB_RUNNER"), Driver: os.Getenv("PODMAN_EXECUTOR_BIN"),
		URL: server.URL(), Token: token, Dir: filepath.Join(m.dir, p.id()), Policy: p.executor.policy,
		Text: func(c runner.Config) string { return p.executor.config(c, p.name) },
	})
	if err != nil {
		return err
	}
	results, err := p.pipeline.Run(ctx, server, gitlab.PipelineOptions{Repository: repository, Edit: m.projectVariables})
	stopCtx, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer stop()
	err = errors.Join(err, r.Stop(stopCtx), podmanservice.RemoveVolumes(stopCtx, token))
	if m.keep != "" {
		err = errors.Join(err, m.keepLogs(p, r, results))
	}
	if calls := server.Unexpected(); len(calls) > 0 {
		err = errors.Join(err, fmt.Errorf("calls that no GitLab gets: %q", calls))
	}
	if err != nil {
		return fmt.Errorf("running the jobs of %s: %w\nthe runner's log ends:\n%s", p.id(), err, tail(r.Log(), 4000))
	}
	names := normaliser{server: server.URL(), registry: m.registry.address}
	for _, result := range results {
		o, err := newOutcome(result, names)
		if err != nil {
			return err
		}
		o.try = p.try
		p.outcomes = append(p.outcomes, o)
	}
	return nil
}

// id tells the part from all others.
func (p *part) id() string { return fmt.Sprintf("%s-%s-%d", p.executor.name, p.name, p.try) }

func (m *machine) keepLogs(p *part, r *runner.Runner, results []gitlab.Result) error {
	if err := os.MkdirAll(m.keep, 0o755); err != nil {
		return err
	}
	errs := []error{os.WriteFile(filepath.Join(m.keep, p.id()+".log"), []byte(r.Log()), 0o644)}
	for _, result := range results {
		if result.Run != nil {
			file := fmt.Sprintf("%s-%s-%d.trace", strings.ReplaceAll(result.Job, " ", "-"), p.executor.name, p.try)
			errs = append(errs, os.WriteFile(filepath.Join(m.keep, file), result.Run.Trace(), 0o644))
		}
	}
	return errors.Join(errs...)
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
