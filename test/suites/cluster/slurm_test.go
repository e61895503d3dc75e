//go:build cluster

package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/slurm"
)

// TestSlurm shows what the launcher builds on: Slurm alone, without gitlab-runner and the driver.
func TestSlurm(t *testing.T) {
	t.Run("exit code and streams", exitCode)
	t.Run("four jobs on two nodes", fourJobs)
	t.Run("killed by a signal", killed)
	t.Run("unknown partition", unknownPartition)
	t.Run("queued on a drained node", drained)
	t.Run("cancelled", cancelled)
	t.Run("preempted", preempted)
	t.Run("time limit", timeLimit)
	t.Run("memory", memory)
	t.Run("node killed", nodeKilled)
	t.Run("orders", orders)
}

func exitCode(t *testing.T) {
	openCluster(t)
	got := srun(t, "from stdin\n", podmanRun("cat; echo to stderr >&2; exit 42")...)
	if got.code != 42 || got.stdout != "from stdin\n" || !strings.Contains(got.stderr, "to stderr\n") {
		t.Errorf("srun has left %+v", got)
	}
	if got := waitState(t, "FAILED"); !strings.HasSuffix(got, "|NonZeroExitCode") {
		t.Errorf("the state is %q", got)
	}
}

// fourJobs has each job wait for the three others: all have to run at the same time.
func fourJobs(t *testing.T) {
	openCluster(t)
	dir := t.TempDir()
	var waits []func() ended
	for i := range 2 * slurm.CPUs {
		script := fmt.Sprintf(`touch %[1]s/%[2]d; while [ "$(ls %[1]s | wc -l)" -lt 4 ]; do sleep 0.1; done; echo "$SLURMD_NODENAME $(hostname)"`, dir, i)
		waits = append(waits, start(t, "", "--cpus-per-task=1", "sh", "-c", script))
	}
	count := map[string]int{}
	for _, wait := range waits {
		got := wait()
		if got.code != 0 {
			t.Errorf("srun has left %+v", got)
		}
		count[got.stdout]++
	}
	if count["n1 n1\n"] != slurm.CPUs || count["n2 n2\n"] != slurm.CPUs {
		t.Errorf("the jobs ran on %v", count)
	}
}

func killed(t *testing.T) {
	openCluster(t)
	if got := srun(t, "", podmanRun("kill -9 $$; exit 3")...); got.code == 0 {
		t.Errorf("srun has left %+v", got)
	}
	got := srun(t, "", "sh", "-c", "kill -9 $$")
	if got.code != 128+9 || !strings.Contains(got.stderr, "task 0: Killed") {
		t.Errorf("srun has left %+v", got)
	}
}

func unknownPartition(t *testing.T) {
	openCluster(t)
	got := srun(t, "", "--partition=nowhere", "true")
	if got.code != 1 || !strings.Contains(got.stderr, "Unable to allocate resources: Invalid partition name specified") {
		t.Errorf("srun has left %+v", got)
	}
	if got := state(t); got != "" {
		t.Errorf("there is a job: %q", got)
	}
}

func drained(t *testing.T) {
	c := openCluster(t)
	if err := c.Drain("n1"); err != nil {
		t.Fatal(err)
	}
	wait := start(t, "", "--nodelist=n1", "true")
	waitState(t, "PENDING")
	if err := c.Resume("n1"); err != nil {
		t.Fatal(err)
	}
	if got := wait(); got.code != 0 {
		t.Errorf("srun has left %+v", got)
	}
	waitState(t, "COMPLETED|n1")
}

// cancelled, and what follows, asks squeue what has become of a job, as the driver does:
// slurmstepd's own line on it, such as "CANCELLED AT … DUE TO PREEMPTION", is lost now and
// then, where the step ends before it is sent.
func cancelled(t *testing.T) {
	openCluster(t)
	wait := startSleep(t)
	begin := time.Now()
	command(t, "scancel", jobID(t))
	got := wait()
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("srun ended %v after scancel", took)
	}
	if got.code == 0 || strings.Contains(got.stderr, "DUE TO") {
		t.Errorf("srun has left %+v", got)
	}
	waitState(t, "CANCELLED|n1")
}

func preempted(t *testing.T) {
	openCluster(t)
	wait := startSleep(t, "--partition="+slurm.Low, "--cpus-per-task=2")
	t.Run("by", func(t *testing.T) {
		if got := srun(t, "", "--partition="+slurm.High, "--cpus-per-task=2", "true"); got.code != 0 {
			t.Errorf("srun has left %+v", got)
		}
	})
	if got := wait(); got.code == 0 {
		t.Errorf("srun has left %+v", got)
	}
	waitState(t, "PREEMPTED|n2")
}

// timeLimit does not wait for Slurm's smallest limit, a minute: it moves the job's end. slurmctld looks each 30 s.
func timeLimit(t *testing.T) {
	openCluster(t)
	wait := startSleep(t, "--partition="+slurm.Short)
	command(t, "scontrol", "update", "jobid="+jobID(t), "endtime=now")
	if got := wait(); got.code == 0 {
		t.Errorf("srun has left %+v", got)
	}
	if got := waitState(t, "TIMEOUT"); !strings.HasSuffix(got, "|TimeLimit") {
		t.Errorf("the state is %q", got)
	}
}

func memory(t *testing.T) {
	openCluster(t)
	const script = `x=$(head -c 100000000 /dev/zero | tr "\0" x); sleep 5`
	if got := srun(t, "", "--mem=40", "sh", "-c", script); got.code != 128+9 {
		t.Errorf("srun has left %+v", got)
	}
	if got := srun(t, "", "--mem=1000", "sh", "-c", script); got.code != 0 {
		t.Errorf("with memory enough, srun has left %+v", got)
	}
}

// nodeKilled takes the node from under a container, and gives it back.
func nodeKilled(t *testing.T) {
	c := openCluster(t)
	t.Cleanup(func() {
		if err := c.Start("n1"); err != nil {
			t.Error(err)
		}
		if got := srun(t, "", "--nodelist=n1", "true"); got.code != 0 {
			t.Errorf("the node runs no jobs again: %+v", got)
		}
	})
	dir := t.TempDir()
	name := jobName(t)
	removeContainer(t, name)
	t.Cleanup(func() { removeContainer(t, name) })
	run := podmanRun(`while date >/shared/now; do sleep 0.1; done`)
	run = slices.Insert(run, 3, "--name="+name, "--volume="+dir+":/shared")
	wait := start(t, "", append([]string{"--nodelist=n1"}, run...)...)
	waitFile(t, filepath.Join(dir, "now"))
	begin := time.Now()
	if err := c.Kill("n1"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "now")); err != nil {
		t.Fatal(err)
	}
	got := wait()
	t.Logf("srun ended %v after its node, with %+v", time.Since(begin).Round(time.Second), got)
	// The exit code is 0 then: it alone does not tell that a script has ended well.
	if !strings.Contains(got.stderr, "srun: error: Node failure on n1") {
		t.Error("srun has not told that its node is gone")
	}
	if got := waitState(t, "NODE_FAIL"); !strings.HasPrefix(got, "NODE_FAIL|n1|") {
		t.Errorf("the state is %q", got)
	}
	t.Logf("NODE_FAIL %v after the node", time.Since(begin).Round(time.Second))
	if _, err := os.Stat(filepath.Join(dir, "now")); err == nil {
		t.Error("the container has outlived its node")
	}
}

// orders shows that a mistake in a test is told, and that a node that runs is left alone.
func orders(t *testing.T) {
	c := openCluster(t)
	if err := c.Kill("n3"); err == nil || !strings.Contains(err.Error(), `one of the nodes ["n1" "n2"]`) {
		t.Errorf("killing a node that is not there: %v", err)
	}
	if err := c.Resume("n1"); err == nil || !strings.Contains(err.Error(), "Invalid node state") {
		t.Errorf("resuming a node that is not drained: %v", err)
	}
	if err := c.Start("n1"); err != nil {
		t.Error(err)
	}
}

// removeContainer removes what podman still knows of a container; there may be none.
func removeContainer(t *testing.T, name string) {
	t.Helper()
	command(t, "podman", "rm", "--force", "--ignore", "--time=0", name)
}

// startSleep starts a job of some minutes, and waits until its process runs. RUNNING comes a little before: a job that
// ends in between has "Job credential revoked", and 168 is srun's exit code.
func startSleep(t *testing.T, options ...string) func() ended {
	t.Helper()
	up := filepath.Join(t.TempDir(), "up")
	wait := start(t, "", append(options, "sh", "-c", `touch "$1"; exec sleep 300`, "sh", up)...)
	waitFile(t, up)
	return wait
}

func waitFile(t *testing.T, name string) {
	t.Helper()
	for end := time.Now().Add(stepTime); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(name); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s has not come", name)
		}
	}
}
