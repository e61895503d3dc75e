package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"podman-executor/internal/driver"
	"podman-executor/internal/launch"
	"podman-executor/internal/plan"
	"podman-executor/internal/site"
	"podman-executor/internal/slurm"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
)

// launchedStep is one of the author's steps that the policy's launcher runs elsewhere.
type launchedStep struct {
	call *driver.Call
	plan plan.Plan
	log  *site.Log
	// name is the container's name.
	name  string
	slurm slurm.Slurm
}

// runLaunched runs a step with the policy's launcher.
func runLaunched(ctx context.Context, call *driver.Call, p plan.Plan, log *site.Log, script, name string) error {
	text, _, err := readScript(script)
	if err != nil {
		return err
	}
	s := launchedStep{call: call, plan: p, log: log, name: containerOf(p, name)}
	s.slurm = slurm.Beside(p.Launch.Program, p.Podman.Env)
	authFile, err := s.copyAuthFile()
	if err != nil {
		return err
	}
	defer os.Remove(authFile)
	container := p.Launch.Container
	container.Name, container.AuthFile = s.name, authFile
	l := launch.Launcher{
		Program: p.Launch.Program, Words: p.Launch.Words,
		Podman: append([]string{p.Podman.Program}, container.Args()...),
		Env:    p.Podman.Env, Dir: p.Launch.Dir, Grace: p.Grace,
	}
	if p.Launch.Slurm {
		over, err := s.beginInSlurm(ctx, &l)
		if err != nil {
			return err
		}
		defer over()
	}
	streams := podman.Streams{Stdin: step.Input(text, step.CleanNothing), Stdout: call.Stdout, Stderr: call.Stderr}
	var o launch.Outcome
	if p.Launch.Batch {
		o, err = l.Batch(ctx, streams, s.signal, s.cancel)
	} else {
		o, err = l.Attached(ctx, streams)
	}
	if err != nil && ctx.Err() == nil {
		err = &driver.Fault{Err: err, Hint: "the launcher is set by general.podman.launcher in the policy; it runs below general.data_dir, in .podman-executor"}
	}
	if err != nil {
		return err
	}
	var ended *slurm.Job
	if p.Launch.Slurm && !passed(o) {
		if job, found := s.slurm.End(ctx, p.Launch.Dir); found {
			ended = &job
		}
	}
	return launchedOutcome(*p.Launch, placeOf(p, p.UserContainer), o, ended)
}

// beginInSlurm sets the working directory of Slurm's job, by which it is found, whatever the
// author has asked for, and a name unless the launcher's words set one. It records that the job
// is under way, and prints what the job waits for until over is called.
func (s *launchedStep) beginInSlurm(ctx context.Context, l *launch.Launcher) (over func(), err error) {
	// Twice: the author's last word may be an option that takes the next word as its value.
	l.Words = append(slices.Clone(l.Words), slurm.ChdirOption(l.Dir), slurm.ChdirOption(l.Dir))
	l.Env = append(slices.Clone(l.Env), "SLURM_JOB_NAME="+s.name, "SBATCH_JOB_NAME="+s.name)
	forget, err := launch.Begin(l.Dir)
	if err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(ctx)
	go s.slurm.Watch(watching, l.Dir, func(j slurm.Job) {
		if j.Waiting() {
			fmt.Fprintln(s.call.Stdout, driver.Printable(j.String()))
		}
	})
	return func() {
		stop()
		// If the step was told to stop, the record stays: cleanup looks for the job once more.
		if ctx.Err() == nil {
			forget()
		}
	}, nil
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// containerOf returns the name of a step's container. Each step has its own, since the
// container of the step before may still be there. GitLab may have steps with any name.
func containerOf(p plan.Plan, name string) string {
	if step.IsScript(name) {
		return p.UserContainer
	}
	name = notInName.ReplaceAllString(strings.ToLower(name), "-")
	return p.UserContainer + "-" + name[:min(len(name), 40)]
}

// copyAuthFile copies the credentials to where the other machine sees them, for as long as the
// step lasts.
func (s launchedStep) copyAuthFile() (string, error) {
	text, err := os.ReadFile(s.plan.Launch.AuthFile)
	if err != nil {
		return "", fmt.Errorf("reading the job's credentials: %w", err)
	}
	name := filepath.Join(s.plan.Launch.Dir, "auth.json")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return "", fmt.Errorf("passing on the job's credentials: %w", err)
	}
	return name, nil
}

// signal asks Slurm's job to stop, in batch mode, and cancel ends it.
func (s launchedStep) signal() {
	s.warn(s.slurm.Signal(context.Background(), s.plan.Launch.Dir, launch.StopSignal))
}

func (s launchedStep) cancel() { s.warn(s.slurm.Cancel(context.Background(), s.plan.Launch.Dir)) }

func (s launchedStep) warn(err error) {
	if err != nil {
		s.log.WithError(err).Warn("cancelling a Slurm job")
	}
}
