//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/slurm"
)

const busyboxImage = "localhost/podman-executor/busybox:latest"

// stepTime is how long anything may take that does not wait for Slurm's minute.
const stepTime = 40 * time.Second

// openCluster returns the cluster around the tests, whose commands it makes usable.
func openCluster(t *testing.T) slurm.Cluster {
	t.Helper()
	c, err := slurm.Open()
	if err != nil {
		t.Fatal(err)
	}
	if got := os.Getenv("SLURM_CONF"); got != c.Conf() {
		t.Fatalf("SLURM_CONF is %q, want %q", got, c.Conf())
	}
	return c
}

// jobName returns the name of a test's job: squeue finds it by that.
func jobName(t *testing.T) string { return strings.ReplaceAll(t.Name(), "/", "-") }

// ended is what a command left.
type ended struct {
	code           int
	stdout, stderr string
}

// srun runs srun to its end, as a job of the test's name.
func srun(t *testing.T, stdin string, args ...string) ended {
	t.Helper()
	return start(t, stdin, args...)()
}

// start starts srun; the function that it returns waits for the end.
func start(t *testing.T, stdin string, args ...string) func() ended {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // t.Context() ends before t.Cleanup
	cmd := exec.CommandContext(ctx, "srun", append([]string{"--quiet", "--job-name=" + jobName(t)}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() ended {
		t.Helper()
		defer cancel()
		err := cmd.Wait()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return ended{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	}
}

// podmanRun is a job's command: a container that gets the step's input.
func podmanRun(script string) []string {
	return []string{"podman", "run", "--rm", "--interactive", busyboxImage, "sh", "-c", script}
}

// command runs one of Slurm's or podman's commands and returns its output.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s %q: %v", name, args, err)
	}
	return strings.TrimSpace(string(output))
}

// state is the state of the test's job, its nodes and the reason: STATE|NODES|REASON.
func state(t *testing.T) string {
	t.Helper()
	return squeue(t, "%T|%N|%r")
}

// jobID is the number of the test's job.
func jobID(t *testing.T) string {
	t.Helper()
	return squeue(t, "%i")
}

// squeue returns what Slurm says of the test's latest job: with -test.count there are several.
func squeue(t *testing.T, format string) string {
	t.Helper()
	lines := command(t, "squeue", "--states=all", "--me", "--name="+jobName(t), "--noheader", "--sort=-i", "--format="+format)
	latest, _, _ := strings.Cut(lines, "\n")
	return latest
}

// waitState waits until the state of the test's job begins so.
func waitState(t *testing.T, want string) string {
	t.Helper()
	for end := time.Now().Add(stepTime); ; time.Sleep(100 * time.Millisecond) {
		got := state(t)
		if strings.HasPrefix(got, want) {
			return got
		}
		if time.Now().After(end) {
			t.Fatalf("the job's state is %q, want %s", got, want)
		}
	}
}
