package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/harness/podmanservice"
	"podman-executor/test/harness/runner"
	"podman-executor/test/measure/bench/account"
)

// rival is an executor with a GitLab of its own.
type rival struct {
	executor
	server     *gitlab.Server
	repository *gitlab.Repository
	dir        string
}

func (b *bench) newRival(ctx context.Context, e executor) (*rival, error) {
	r := &rival{executor: e, dir: filepath.Join(b.dir, e.Name)}
	var err error
	if r.server, err = gitlab.Start(gitlab.Options{RunnerToken: r.runnerToken()}); err != nil {
		return nil, err
	}
	if len(b.sources) > 0 {
		r.repository, err = r.server.AddRepository(ctx, "bench/project", gitlab.Commit{Files: b.sources})
	}
	return r, err
}

func (r *rival) runnerToken() string { return "glrt-" + r.token + "-rest-of-the-token" }

// close removes what the jobs have left for the next ones of their project.
func (r *rival) close(ctx context.Context) error {
	return errors.Join(r.server.Close(), podmanservice.RemoveVolumes(ctx, r.runnerToken()))
}

// can tells whether the executor can run such jobs.
func (r *rival) can(k kind) bool { return r.services || !k.services }

// session is a gitlab-runner that runs one kind of jobs by one executor, and the
// podman service that it needs.
type session struct {
	rival   *rival
	kind    kind
	runner  *runner.Runner
	service *podmanservice.Service
	// accounts are the files of the followers, by their process ids; none where
	// nothing is followed.
	accounts map[int]string
}

// open starts the runner. One that is followed is slower, and gives an account.
func (b *bench) open(ctx context.Context, r *rival, k kind, followed bool) (s *session, err error) {
	s = &session{rival: r, kind: k, accounts: map[int]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(context.WithoutCancel(ctx)))
		}
	}()
	wrapper := func(name string) (command []string, file string) {
		if !followed {
			return nil, ""
		}
		file = filepath.Join(b.dir, name+".account")
		return []string{b.program, followCommand, file, fmt.Sprint(r.scripts)}, file
	}
	socket := ""
	if r.service {
		command, file := wrapper("service")
		if s.service, err = podmanservice.Start(ctx, filepath.Join(b.dir, "podman.sock"), nil, command...); err != nil {
			return s, err
		}
		socket = s.service.URL()
		s.note(s.service.PID(), file)
	}
	command, file := wrapper("runner")
	c := runner.Config{
		Program: os.Getenv("GITLAB_RUNNER"), Driver: os.Getenv("PODMAN_EXECUTOR_BIN"),
		URL: r.server.URL(), Token: r.runnerToken(), Dir: r.dir, Concurrent: k.AtOnce,
		Wrapper: command, Environment: storage(),
		Text: func(c runner.Config) string {
			return fmt.Sprintf(commonLines, c.Concurrent, c.URL, c.Token) + r.section(c, k, socket)
		},
	}
	if r.policy != nil {
		c.Policy = r.policy(r.dir)
	}
	if s.runner, err = runner.Start(c); err != nil {
		return s, err
	}
	s.note(s.runner.PID(), file)
	return s, nil
}

func (s *session) note(pid int, file string) {
	if file != "" {
		s.accounts[pid] = file
	}
}

func (s *session) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var err error
	if s.runner != nil {
		err = s.runner.Stop(ctx)
	}
	if s.service != nil {
		s.service.Stop()
	}
	return err
}

// account asks all followers.
func (s *session) account(ctx context.Context) (account.Account, error) {
	sum := account.New()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for pid, file := range s.accounts {
		a, err := account.Ask(ctx, pid, file)
		if err != nil {
			return sum, err
		}
		sum = sum.Add(a)
	}
	return sum, nil
}

// run runs a number of jobs, and returns how long they took: from when the first
// was handed out until GitLab knows the last one's end.
func (s *session) run(ctx context.Context, number int, job func(*gitlab.Repository) gitlab.Job) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, jobTime+time.Duration(number-1)*moreTime)
	defer cancel()
	var runs []*gitlab.Run
	for range number {
		runs = append(runs, s.rival.server.Submit(job(s.rival.repository)))
	}
	var first, last time.Time
	var failed error
	for _, r := range runs {
		if err := r.Wait(ctx); err != nil {
			return 0, fmt.Errorf("%w; the runner's log ends:\n%s", err, tail(s.runner.Log()))
		}
		if err := s.wrong(r); err != nil {
			failed = errors.Join(failed, err)
		}
		t := r.Times()
		if first.IsZero() || t.PickedUp.Before(first) {
			first = t.PickedUp
		}
		if t.Finished.After(last) {
			last = t.Finished
		}
	}
	return last.Sub(first), failed
}

// jobFailed is a job that has not ended as it should.
type jobFailed struct{ what string }

func (e *jobFailed) Error() string { return e.what }

func (s *session) wrong(r *gitlab.Run) error {
	what := ""
	if r.State() != gitlab.StateSuccess {
		what = fmt.Sprintf("it is %s (%s)", r.State(), r.FailureReason())
	} else if s.kind.right != nil && r.Job.Info.Name == s.kind.Name {
		if err := s.kind.right(r); err != nil {
			what = err.Error()
		}
	}
	if what == "" {
		return nil
	}
	return &jobFailed{fmt.Sprintf("job %s by %s: %s; its log ends:\n%s", r.Job.Info.Name, s.rival.Name, what, tail(r.Log()))}
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

// readSources reads a directory of files as a commit has them.
func readSources(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := fs.ReadFile(root, name)
		files[name] = append([]byte{}, text...) // an empty file has content, too
		return err
	})
	return files, err
}
