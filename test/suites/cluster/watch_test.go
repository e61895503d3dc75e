//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	driver "podman-executor/internal/slurm"
	"podman-executor/test/harness/slurm"
)

// A job that waits is looked for by its directory until it is known, and then by its id: each
// call without it has slurmctld send all of the user's jobs. An earlier step's job in the same
// directory, which is over, is not taken for it; nor is another job of the same name, or one
// of an array.
func TestWatch(t *testing.T) {
	c := openCluster(t)
	dir := filepath.Join(t.TempDir(), "a|b  c'd ")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	chdir := driver.ChdirOption(dir)
	runBefore(t, c, chdir)
	calls := filepath.Join(t.TempDir(), "calls")
	program := noting(t, calls)
	array := command(t, "sbatch", "--parsable", "--hold", "--array=1-3", "--output=/dev/null", "--wrap=true")
	t.Cleanup(func() { command(t, "scancel", array) })
	s := driver.Slurm{Env: os.Environ(), Program: func(name string) (string, error) {
		if name == "squeue" {
			return program, nil
		}
		return exec.LookPath(name)
	}}
	ctx, cancel := context.WithTimeout(context.Background(), stepTime)
	defer cancel()
	told := make(chan driver.Job, 10)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.Watch(ctx, dir, func(j driver.Job) { told <- j })
	}()
	waitFile(t, calls) // the watch has asked when there was no such job
	wait := start(t, "", "--nodelist=n1", chdir, "true")
	first := <-told
	waitOther := start(t, "", "--nodelist=n1", "true") // of the same name, and later
	time.Sleep(5 * time.Second)                        // two polls at least
	unnoted := driver.Slurm{Env: s.Env, Program: exec.LookPath}
	if err := unnoted.Cancel(ctx, dir); err != nil {
		t.Error(err)
	}
	wait()
	<-watched
	close(told)
	checkStates(t, first, told)
	checkCalls(t, calls, first.ID)
	if job, found, err := unnoted.Find(ctx, filepath.Dir(dir)); found || err != nil {
		t.Errorf("in a directory without a job there is %+v, %v", job, err)
	}
	if got := state(t); !strings.HasPrefix(got, "PENDING|") {
		t.Errorf("the other job of that name is %s", got)
	}
	command(t, "scancel", jobID(t))
	waitOther()
}

// runBefore runs an earlier job in a directory, and drains the first node, so that the next one waits.
func runBefore(t *testing.T, c slurm.Cluster, chdir string) {
	t.Helper()
	if got := srun(t, "", chdir, "true"); got.code != 0 {
		t.Fatalf("srun has left %+v", got)
	}
	waitState(t, "COMPLETED")
	if err := c.Drain("n1"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Resume("n1"); err != nil {
			t.Error(err)
		}
	})
}

// checkStates checks what the watch has told of a job that waited and was cancelled: of no other job, in this order.
func checkStates(t *testing.T, first driver.Job, told <-chan driver.Job) {
	t.Helper()
	states := []string{first.State}
	for j := range told {
		if j.ID != first.ID {
			t.Errorf("job %d was told of, after job %d", j.ID, first.ID)
		}
		states = append(states, j.State)
	}
	if got := strings.Join(slices.Compact(states), " "); got != "PENDING CANCELLED" {
		t.Errorf("the watch has told of %s", got)
	}
}

// noting returns a program that is squeue, and notes its words when that has answered, one
// call a line.
func noting(t *testing.T, file string) string {
	t.Helper()
	squeue, err := exec.LookPath("squeue")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "squeue")
	text := fmt.Sprintf("#!/bin/sh\n%s \"$@\"\ncode=$?\necho \"$*\" >>%s\nexit $code\n", squeue, file)
	if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return program
}

// checkCalls wants calls for all jobs, and then only such by the id.
func checkCalls(t *testing.T, file string, id int64) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	forAll, byID := 0, 0
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.Contains(line, fmt.Sprintf("--jobs=%d ", id)):
			byID++
		case strings.Contains(line, "--me ") && byID == 0:
			forAll++
		default:
			t.Errorf("squeue %s", line)
		}
	}
	if forAll < 2 || byID < 2 {
		t.Errorf("%d calls for all jobs and %d by the id:\n%s", forAll, byID, text)
	}
}
