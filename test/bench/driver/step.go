package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

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

// container is a job's user container as prepare makes it, with a plan for
// podman-executor-run.
type container struct {
	bin, dir, name, program string
	env                     []string
}

func newContainer(bin string) (c *container, err error) {
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
	if c.program, err = podman.Find(""); err != nil {
		return nil, err
	}
	c.env = podman.Environment(os.Getenv, os.Getuid(), storage())
	create := podman.Create{
		Name: c.name, Tmpfs: []string{step.Tmpfs}, Entrypoint: "sh", Image: image,
		Command: step.Command(step.User, step.EntryPoint{Shell: true}, "", ""),
	}
	if out, err := c.podman(create.Args()...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	p := plan.Plan{Podman: plan.Podman{Program: c.program, Env: c.env}, UserContainer: c.name, RunnerContainer: c.name}
	return c, plan.Write(c.dir, p)
}

func (c *container) podman(args ...string) *exec.Cmd {
	cmd := exec.Command(c.program, args...)
	cmd.Env, cmd.Dir = c.env, "/"
	return cmd
}

func (c *container) remove() error {
	return errors.Join(c.podman("rm", "--force", "--time", "0", c.name).Run(), os.RemoveAll(c.dir))
}

// steps measures the same step in the container, by turns alone and through the
// driver.
func (c *container) steps(script string, times int) (alone, through samples, err error) {
	script = "#!/usr/bin/env sh\n" + script + "\n"
	file := filepath.Join(c.dir, "script")
	if err := os.WriteFile(file, []byte(script), 0o700); err != nil {
		return nil, nil, err
	}
	for i := range times {
		a, err := c.alone([]byte(script), i == 0)
		if err != nil {
			return nil, nil, err
		}
		cmd := exec.Command(filepath.Join(c.bin, "podman-executor-run"), file, "build_script")
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
	go func() { _, _ = io.Copy(write, step.Input(script)) }() // podman's own error says what is wrong
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
