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
)

// A job that waits is looked for by its name until it is known, and then by its id: each
// call by name has slurmctld send all of the user's jobs. An earlier step's job of the same
// name, which is over, is not taken for it.
func TestWatch(t *testing.T) {
	c := openCluster(t)
	if got := srun(t, "", "true"); got.code != 0 {
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
	calls := filepath.Join(t.TempDir(), "calls")
	program := noting(t, calls)
	s := driver.Slurm{Env: os.Environ(), Program: func(string) (string, error) { return program, nil }}
	ctx, cancel := context.WithTimeout(context.Background(), stepTime)
	defer cancel()
	told := make(chan driver.Job, 10)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.Watch(ctx, jobName(t), func(j driver.Job) { told <- j })
	}()
	waitFile(t, calls) // the watch has asked when there was no such job
	wait := start(t, "", "--nodelist=n1", "true")
	first := <-told
	time.Sleep(5 * time.Second) // two polls at least
	command(t, "scancel", fmt.Sprint(first.ID))
	wait()
	<-watched
	close(told)
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
	checkCalls(t, calls, first.ID)
}

// noting returns a program that is squeue, and notes its words, one call a line.
func noting(t *testing.T, file string) string {
	t.Helper()
	squeue, err := exec.LookPath("squeue")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "squeue")
	text := fmt.Sprintf("#!/bin/sh\necho \"$*\" >>%s\nexec %s \"$@\"\n", file, squeue)
	if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return program
}

// checkCalls wants calls by the name, and then only such by the id.
func checkCalls(t *testing.T, file string, id int64) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	byName, byID := 0, 0
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.Contains(line, fmt.Sprintf("--jobs=%d ", id)):
			byID++
		case strings.Contains(line, "--name="+jobName(t)+" ") && byID == 0:
			byName++
		default:
			t.Errorf("squeue %s", line)
		}
	}
	if byName < 2 || byID < 2 {
		t.Errorf("%d calls by the name and %d by the id:\n%s", byName, byID, text)
	}
}
