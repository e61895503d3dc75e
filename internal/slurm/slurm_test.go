package slurm

import "testing"

func TestParse(t *testing.T) {
	for line, want := range map[string]Job{
		"17|PENDING||Resources":                   {ID: 17, State: "PENDING", Reason: "Resources"},
		"18|RUNNING|n[1-2]|None":                  {ID: 18, State: "RUNNING", Nodes: "n[1-2]", Reason: "None"},
		"19|TIMEOUT|n1|TimeLimit":                 {ID: 19, State: "TIMEOUT", Nodes: "n1", Reason: "TimeLimit"},
		"20|PENDING||ReqNodeNotAvail, Reserved|x": {ID: 20, State: "PENDING", Reason: "ReqNodeNotAvail, Reserved|x"},
	} {
		if got, err := parse(line); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", line, got, err, want)
		}
	}
	for _, line := range []string{"", "17", "17|PENDING|", "x|PENDING||None", "17_1|PENDING||None"} {
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
