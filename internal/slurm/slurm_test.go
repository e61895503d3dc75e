package slurm

import (
	"os"
	"path/filepath"
	"testing"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]listed{
		"17|PENDING||Resources|/d":                     {Job{ID: 17, State: "PENDING", Reason: "Resources"}, "/d"},
		"18|RUNNING|n[1-2]|None|/d/e f ":               {Job{ID: 18, State: "RUNNING", Nodes: "n[1-2]", Reason: "None"}, "/d/e f "},
		"19|TIMEOUT|n1|TimeLimit|/d|e":                 {Job{ID: 19, State: "TIMEOUT", Nodes: "n1", Reason: "TimeLimit"}, "/d|e"},
		"20|PENDING||ReqNodeNotAvail, Reserved|(null)": {Job{ID: 20, State: "PENDING", Reason: "ReqNodeNotAvail, Reserved"}, "(null)"},
	} {
		if got, err := parse(line); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", line, got, err, want)
		}
	}
	for _, line := range []string{"", "17", "17|PENDING||None", "x|PENDING||None|/d", "17_1|PENDING||None|/d"} {
		if got, err := parse(line); err == nil {
			t.Errorf("%q: got %+v", line, got)
		}
	}
}

// Every state of squeue(1), JOB STATE CODES, is of one kind at most.
func TestStates(t *testing.T) {
	waiting := []string{"CONFIGURING", "PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
	going := []string{"COMPLETING", "RESIZING", "RUNNING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED"}
	bySlurm := []string{"BOOT_FAIL", "CANCELLED", "DEADLINE", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"}
	own := []string{"COMPLETED", "FAILED"}
	for kind, states := range map[string][]string{"waiting": waiting, "going": going, "ended by Slurm": bySlurm, "ended by itself": own} {
		for _, state := range states {
			j := Job{State: state}
			got := "ended by itself"
			switch {
			case j.Waiting() && !j.Going() && j.EndedBySlurm() == "":
				got = "waiting"
			case j.Going() && !j.Waiting() && j.EndedBySlurm() == "":
				got = "going"
			case j.EndedBySlurm() != "" && !j.Going() && !j.Waiting():
				got = "ended by Slurm"
			case j.EndedBySlurm() != "" || j.Going() || j.Waiting():
				got = "several"
			}
			if got != kind {
				t.Errorf("%s is %s, want %s", state, got, kind)
			}
		}
	}
}

func TestString(t *testing.T) {
	for want, j := range map[string]Job{
		"Slurm job 17 is PENDING (Resources)": {ID: 17, State: "PENDING", Reason: "Resources"},
		"Slurm job 17 is PENDING":             {ID: 17, State: "PENDING", Reason: "None"},
		"Slurm job 17 is RUNNING on n1":       {ID: 17, State: "RUNNING", Reason: "None", Nodes: "n1"},
	} {
		if got := j.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A site's Slurm may be anywhere: all of its commands are taken from there.
func TestBeside(t *testing.T) {
	dir := t.TempDir()
	squeue := filepath.Join(dir, "squeue")
	if err := os.WriteFile(squeue, []byte("#!/bin/sh\necho \"18|RUNNING|n1|None|/d\n19_[1-3]|PENDING||None|/e\n20|PENDING||None|/d/e\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := Beside(filepath.Join(dir, "srun"), []string{"PATH=/nowhere"})
	want := Job{ID: 18, State: "RUNNING", Nodes: "n1", Reason: "None"}
	if got, found, err := s.Find(t.Context(), "/d"); err != nil || !found || got != want {
		t.Errorf("got %+v, %v, %v, want %+v", got, found, err, want)
	}
	if got, found, err := s.Find(t.Context(), "/e/f"); err != nil || found {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, _, err := s.Find(t.Context(), "/e"); err == nil {
		t.Error("an id of an array is taken")
	}
	// What is not there is where programs are.
	if got, err := s.Program("env"); err != nil || got != "/usr/bin/env" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := os.Chmod(squeue, 0o777); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Program("squeue"); err == nil && got == squeue {
		t.Error("a program that everybody can write to is taken")
	}
}
