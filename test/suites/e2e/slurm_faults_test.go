//go:build e2e && cluster

package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A driver that is killed while its step runs leaves nothing: neither in Slurm's queue nor
// on a node.
func TestSlurmDriverKilled(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, keys []string) {
		policy, dir := throughSlurm(t, keys...)
		m := start(t, policy)
		outOfQueue(t, m.loseDriver())
		m.nothingLeft()
		nothingLaunched(t, dir)
	})
}

// An author who may choose a name gets no other job cancelled by it, and what the driver
// waits for is the author's own.
func TestSlurmNameOfAnother(t *testing.T) {
	t.Parallel()
	policy, dir := throughSlurm(t, append([]string{`scheduler_variable = "SCHEDULER_PARAMETERS"`, `scheduler_allow_list = ['--job-name=.*', '--chdir=.*', '--comment']`}, launchers["srun"]...)...)
	m := startConcurrent(t, 2, policy)
	victim := m.server.Submit(in(busyboxImage, job("victim", untilReleased...)))
	m.waitLog(victim, "holding")
	j := in(busyboxImage, job("attacker", "while :; do echo attacking; sleep 0.1; done"))
	j.SetVariable("SCHEDULER_PARAMETERS", strings.Replace(slurmName(victim), "--name", "--job-name", 1)+" --chdir=/tmp --comment")
	attacker := m.server.Submit(j)
	m.waitLog(attacker, "\nattacking\n")
	if got := strings.Count(queue(t, slurmName(victim)), " RUNNING "); got != 2 {
		t.Errorf("%d jobs of that name run, want 2", got)
	}
	if got := queue(t, slurmName(victim), "--states=RUNNING", "--format=%Z"); strings.Count(got, dir+"/") != 2 {
		t.Errorf("their directories are\n%s, want two below %s", got, dir)
	}
	attacker.Cancel()
	m.wait(attacker)
	failed(t, attacker, "job_canceled", 0)
	m.release(victim)
	m.wait(victim)
	succeeded(t, victim)
	outOfQueue(t, victim)
	m.nothingLeft()
	nothingLaunched(t, dir)
}

// What Slurm does not take, or ends, is told from a failure of the script.
func TestSlurmFails(t *testing.T) {
	t.Parallel()
	t.Run("no such partition", func(t *testing.T) {
		t.Parallel()
		inBothModes(t, func(t *testing.T, keys []string) {
			policy, _ := throughSlurm(t, strings.Replace(keys[0], `"--quiet"`, `"--quiet", "--partition=nowhere"`, 1), strings.Join(keys[1:], "\n"))
			m := start(t, policy)
			run := m.run(in(busyboxImage, job("nowhere", "echo ran")))
			failed(t, run, "runner_system_failure", 0)
			logs(t, run, "error: invalid partition specified: nowhere\n", " before the script began\n", "podman-executor-run: hint: ")
			lacks(t, run, "\nran")
		})
	})
	t.Run("time limit", func(t *testing.T) {
		t.Parallel()
		inBothModes(t, func(t *testing.T, keys []string) {
			keys = append([]string{`scheduler_variable = "SCHEDULER_PARAMETERS"`, `scheduler_allow_list = ['--time=[0-9:]+']`}, keys...)
			policy, dir := throughSlurm(t, keys...)
			m := startConcurrent(t, 2, policy)
			asked := in(busyboxImage, job("asked for a minute", "trap '' TERM; while :; do sleep 1; done"))
			asked.SetVariable("SCHEDULER_PARAMETERS", "--time=1")
			run := m.run(asked)
			failed(t, run, "script_failure", 1)
			logs(t, run, " was ended by Slurm: it reached its time limit (TIMEOUT)", "podman-executor-run: hint: ask for more with --time in the variable SCHEDULER_PARAMETERS\n")
			m.nothingLeft()
			nothingLaunched(t, dir)
		})
	})
	t.Run("preempted", func(t *testing.T) {
		t.Parallel()
		policy, dir := throughSlurm(t, strings.Replace(launchers["srun"][0], `"--quiet"`, `"--quiet", "--partition=low"`, 1))
		m := start(t, policy)
		run := m.server.Submit(in(busyboxImage, job("preempted", "echo holding; while :; do sleep 1; done")))
		m.waitLog(run, "\nholding\n")
		cmd := exec.Command("srun", "--quiet", "--partition=high", "--exclusive", "true")
		cmd.Dir, cmd.Env = "/", append(os.Environ(), "SLURM_CONF="+cluster(t).Conf())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("srun: %v: %s", err, out)
		}
		m.wait(run)
		failed(t, run, "runner_system_failure", 0)
		logs(t, run, " was ended by Slurm: it was preempted (PREEMPTED)", "podman-executor-run: hint: ")
		m.nothingLeft()
		nothingLaunched(t, dir)
	})
}

// A node that fails is a failure of the system.
func TestSlurmNodeKilled(t *testing.T) {
	c := cluster(t)
	policy, _ := throughSlurm(t, strings.Replace(launchers["srun"][0], `"--quiet"`, `"--quiet", "--nodelist=n1"`, 1))
	m := start(t, policy)
	run := m.server.Submit(in(busyboxImage, job("node killed", "echo holding; while :; do sleep 1; done")))
	m.waitLog(run, "\nholding\n")
	t.Cleanup(func() {
		if err := c.Start("n1"); err != nil {
			t.Error(err)
		}
	})
	if err := c.Kill("n1"); err != nil {
		t.Fatal(err)
	}
	m.wait(run)
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "podman-executor-run: error: ", " was ended by Slurm: a node failed (NODE_FAIL)", "podman-executor-run: hint: ")
}
