package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"podman-executor/internal/handover"
	"podman-executor/internal/plan"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
)

const image = "localhost/podman-executor/busybox:latest"

const (
	// logBytes are printed by one step.
	logBytes = 100_000_000
	// logRounds is how often.
	logRounds = 5
)

// container is one of a job's containers as prepare makes it, with a plan for
// podman-executor-run.
type container struct {
	bin, dir, name string
	plan           plan.Plan
}

func newContainer(bin string) (*container, error) {
	return newJob(bin, podman.Create{Entrypoint: "sh", Command: step.Command(step.User, step.EntryPoint{Shell: true}, step.Sources{})}, "")
}

// newStaying makes a container that waits for steps.
func newStaying(bin string) (*container, error) {
	return newJob(bin, podman.Create{Entrypoint: "sh", Command: handover.Command(step.User, step.EntryPoint{Shell: true}, step.Sources{}), Mode: podman.Detached}, "pipes")
}

// newJob makes a container in a directory like those of jobs. pipes, if not empty, is
// the name of the directory there by which the container gets its steps.
func newJob(bin string, create podman.Create, pipes string) (c *container, err error) {
	c = &container{bin: bin}
	if c.dir, err = os.MkdirTemp("", "podman-executor-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(c.dir))
		}
	}()
	c.name = filepath.Base(c.dir)
	program, err := podman.Find("")
	if err != nil {
		return nil, err
	}
	c.plan = plan.Plan{
		Podman: plan.Podman{Program: program, Env: podman.Environment(os.Getenv, os.Getuid(), storage())},
		Grace:  time.Minute, UserContainer: c.name, RunnerContainer: c.name,
	}
	if pipes != "" {
		dir := filepath.Join(c.dir, pipes)
		c.plan.StepsDirs = map[string]string{c.name: dir}
		create.Volumes = []string{dir + ":" + handover.Pipes + ":ro,z"}
		if err := handover.Make(dir); err != nil {
			return nil, err
		}
	}
	create.Name, create.Tmpfs, create.Image = c.name, []string{step.Tmpfs}, image
	if out, err := c.podman(create.Args()...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return c, plan.Write(c.dir, c.plan)
}

func (c *container) podman(args ...string) *exec.Cmd {
	cmd := exec.Command(c.plan.Podman.Program, args...)
	cmd.Env, cmd.Dir = c.plan.Podman.Env, "/"
	return cmd
}

func (c *container) remove() error {
	return errors.Join(c.podman("rm", "--force", "--time", "0", c.name).Run(), os.RemoveAll(c.dir))
}

// steps measures the same step in the container, by turns alone and through the
// driver.
func (c *container) steps(script string, times int) (alone, through samples, err error) {
	return c.byTurns("build_script", script, times, c.alone)
}

// handOver measures the same for a step that is handed to a container that stays.
func (c *container) handOver(ctx context.Context, times int) (alone, through samples, err error) {
	to := handover.Container{Podman: c.plan.Podman.Client(nil), Name: c.name, Dir: c.plan.StepsDirs[c.name], Grace: c.plan.Grace}
	run := func(text []byte, _ bool) (sample, error) {
		started := time.Now()
		err := to.Run(ctx, podman.Streams{Stdin: step.Input(text, step.CleanNothing), Stdout: io.Discard, Stderr: os.Stderr})
		return sample{wall: time.Since(started)}, err
	}
	// The first one waits until the container is up.
	if _, err := run([]byte("#!/usr/bin/env sh\n"), false); err != nil {
		return nil, nil, err
	}
	return c.byTurns("get_sources", "exit 0", times, run)
}

// log measures a step with a large log in the container, which stays, through the
// driver, and by turns in another container by podman itself.
func (c *container) log(by *container) (alone, through samples, err error) {
	return c.byTurns("build_script", fmt.Sprintf("yes %079d | head -c %d", 7, logBytes), logRounds, by.alone)
}

func (c *container) byTurns(name, script string, times int, runAlone func([]byte, bool) (sample, error)) (alone, through samples, err error) {
	script = "#!/usr/bin/env sh\n" + script + "\n"
	file := filepath.Join(c.dir, "script")
	if err := os.WriteFile(file, []byte(script), 0o700); err != nil {
		return nil, nil, err
	}
	for i := range times {
		a, err := runAlone([]byte(script), i == 0)
		if err != nil {
			return nil, nil, err
		}
		cmd := exec.Command(filepath.Join(c.bin, "podman-executor-run"), file, name)
		cmd.Env = []string{"TMPDIR=" + c.dir, "JOB_RESPONSE_FILE=" + file, "BUILD_EXIT_CODE_FILE=" + filepath.Join(c.dir, "code")}
		t, err := take(cmd, i == 0)
		if err != nil {
			return nil, nil, err
		}
		alone, through = append(alone, a), append(through, t)
	}
	return alone, through, nil
}

// alone runs a step by podman itself. Its input stays open: at its end the container
// would stop the script.
func (c *container) alone(script []byte, watched bool) (sample, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return sample{}, err
	}
	defer write.Close()
	defer read.Close()
	go func() { _, _ = io.Copy(write, step.Input(script, step.CleanNothing)) }() // podman's own error says what is wrong
	cmd := c.podman("start", "--attach", "--interactive", "--sig-proxy=false", "--", c.name)
	cmd.Stdin = read
	return take(cmd, watched)
}

// storage shows podman the storage of the tests, where it is not the user's own.
func storage() []string {
	if file := os.Getenv("CONTAINERS_STORAGE_CONF"); file != "" {
		return []string{"CONTAINERS_STORAGE_CONF=" + file}
	}
	return nil
}
