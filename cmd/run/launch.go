package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"podman-executor/internal/driver"
	"podman-executor/internal/launch"
	"podman-executor/internal/plan"
	"podman-executor/internal/slurm"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
)

// launched is a step of the author's that runs elsewhere.
type launched struct {
	call *driver.Call
	plan plan.Plan
	log  *driver.Log
	// name is that of the container.
	name  string
	slurm slurm.Slurm
}

// runLaunched runs a step by the policy's launcher.
func runLaunched(ctx context.Context, call *driver.Call, p plan.Plan, log *driver.Log, script, name string) error {
	text, _, err := readScript(script)
	if err != nil {
		return err
	}
	s := launched{call: call, plan: p, log: log, name: containerOf(p, name)}
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
		err = &driver.Fault{Err: err, Todo: "the launcher is that of general.podman.launcher of the policy; it runs in general.data_dir, below .podman-executor"}
	}
	if err != nil {
		return err
	}
	return s.outcome(ctx, o)
}

// beginInSlurm gives Slurm's job what it is found by, whatever the author has asked for, and
// a name, where the launcher's words give it none; it records that it is under way, and
// tells what it waits for, until over is called.
func (s *launched) beginInSlurm(ctx context.Context, l *launch.Launcher) (over func(), err error) {
	// Twice: the author's last word may be an option that takes the next word for its value.
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
		// What was told to stop, cleanup looks for once more.
		if ctx.Err() == nil {
			forget()
		}
	}, nil
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// containerOf is the name of the container of a step: one that has just ended may still
// be there. GitLab may have steps with any name.
func containerOf(p plan.Plan, name string) string {
	if name == "build_script" || name == "step_script" {
		return p.UserContainer
	}
	name = notInName.ReplaceAllString(strings.ToLower(name), "-")
	return p.UserContainer + "-" + name[:min(len(name), 40)]
}

// copyAuthFile gives the credentials to the other side, for as long as the step lasts.
func (s launched) copyAuthFile() (string, error) {
	text, err := os.ReadFile(s.plan.Launch.AuthFile)
	if err != nil {
		return "", fmt.Errorf("reading the job's credentials: %w", err)
	}
	name := filepath.Join(s.plan.Launch.Dir, "auth.json")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return "", fmt.Errorf("handing the job's credentials on: %w", err)
	}
	return name, nil
}

// signal tells Slurm's job to stop, in batch mode, and cancel ends it.
func (s launched) signal() {
	s.warn(s.slurm.Signal(context.Background(), s.plan.Launch.Dir, launch.StopSignal))
}

func (s launched) cancel() { s.warn(s.slurm.Cancel(context.Background(), s.plan.Launch.Dir)) }

func (s launched) warn(err error) {
	if err != nil {
		s.log.WithError(err).Warn("cancelling a Slurm job")
	}
}

// outcome tells a script that ended with a code from a launcher, a scheduler or a podman
// that failed.
func (s launched) outcome(ctx context.Context, o launch.Outcome) error {
	if o.Reported && o.Status == 0 && o.Launcher == 0 {
		return nil
	}
	launcher := filepath.Base(s.plan.Launch.Program)
	if s.plan.Launch.Slurm {
		if job, found := s.slurm.End(ctx, s.plan.Launch.Dir); found && job.EndedBySlurm() != "" {
			return s.endedBySlurm(job)
		}
	}
	switch {
	case o.Reported && o.Status != 0:
		return &driver.ScriptError{Code: o.Status}
	case o.Reported:
		return &driver.Fault{
			Err:  fmt.Errorf("the script ended well, and after it the launcher %s with exit code %d", launcher, o.Launcher),
			Todo: "see what the launcher says above",
		}
	case o.Started:
		return &driver.Fault{
			Err:  fmt.Errorf("the container was killed while the script ran; the launcher %s ended with exit code %d", launcher, o.Launcher),
			Todo: "somebody, or something such as a shutdown of its machine, has ended it",
		}
	case podman.SaysNoSuchProgram(o.Stderr):
		return &driver.Refusal{Err: errors.New("the container could not be started where the launcher has put it"), Todo: driver.NoShellTodo}
	}
	return &driver.Fault{
		Err:  fmt.Errorf("the launcher %s ended with exit code %d before the script began", launcher, o.Launcher),
		Todo: "see what the launcher, or podman, says above; general.podman.launcher of the policy names it",
	}
}

// endedBySlurm is a job that Slurm has ended. For want of time or memory it is the
// author's to mend, where the author has asked for it.
func (s launched) endedBySlurm(job slurm.Job) error {
	err := fmt.Errorf("job %d was ended by Slurm: %s (%s)", job.ID, job.EndedBySlurm(), job.State)
	if job.Reason != "" && job.Reason != "None" {
		err = fmt.Errorf("%w: %s", err, job.Reason)
	}
	options := map[string][]string{"TIMEOUT": {"--time", "-t"}, "OUT_OF_MEMORY": {"--mem"}}[job.State]
	for _, option := range options {
		if slices.ContainsFunc(s.plan.Launch.Options, func(o string) bool { return strings.HasPrefix(o, option) }) {
			return &driver.Refusal{Err: err, Todo: fmt.Sprintf("ask for more by %s in the variable %s", options[0], s.plan.Launch.Variable)}
		}
	}
	if len(options) > 0 {
		return &driver.Fault{Err: err, Todo: fmt.Sprintf("jobs of this runner get as much as general.podman.launcher of the policy says (%s), or the partition's default", options[0])}
	}
	return &driver.Fault{Err: err, Todo: fmt.Sprintf("`scontrol show job %d` and `sacct -j %d` may say more", job.ID, job.ID)}
}
