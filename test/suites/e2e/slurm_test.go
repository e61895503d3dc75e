//go:build e2e && cluster

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/harness/runner"
	"podman-executor/test/harness/slurm"
)

// The tests that fill, or kill, nodes are not parallel: so they are over when the others
// begin.

// cluster is the Slurm that these tests run in.
func cluster(t *testing.T) slurm.Cluster {
	t.Helper()
	c, err := slurm.Open()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// launchers are the two ways into Slurm.
var launchers = map[string][]string{
	"srun":   {`launcher = ["srun", "--quiet", "--job-name={project}-{job_id}"]`},
	"sbatch": {`launcher = ["sbatch", "--quiet", "--job-name={project}-{job_id}"]`, `launcher_mode = "batch"`},
}

// inBothModes runs a test with each.
func inBothModes(t *testing.T, test func(t *testing.T, keys []string)) {
	t.Helper()
	for name, keys := range launchers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, keys)
		})
	}
}

// throughSlurm is a policy with keys of a launcher.
func throughSlurm(t *testing.T, keys ...string) (policy func(string) string, dir string) {
	t.Helper()
	return launching(t, append([]string{storageEnvironment("SLURM_CONF=" + cluster(t).Conf())}, keys...)...)
}

// queue is what Slurm has of the jobs of a project: "ID STATE NODES", one a line.
func queue(t *testing.T, arguments ...string) string {
	t.Helper()
	cmd := exec.Command("squeue", append([]string{"--noheader", "--me", "--format=%i %T %N"}, arguments...)...)
	cmd.Env = append(os.Environ(), "SLURM_CONF="+cluster(t).Conf())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("squeue: %v: %s", err, out)
	}
	return string(out)
}

// slurmName is the name that the launchers above give to the Slurm job of a run.
func slurmName(run *gitlab.Run) string {
	return fmt.Sprintf("--name=%s-%d", strings.ReplaceAll(run.Job.Info.ProjectFullPath, "/", "+"), run.Job.ID)
}

// outOfQueue waits until Slurm has no job of the run, and returns how long that took.
func outOfQueue(t *testing.T, run *gitlab.Run) time.Duration {
	t.Helper()
	started := time.Now()
	for queue(t, slurmName(run)) != "" {
		if time.Since(started) > 15*time.Second {
			t.Errorf("Slurm still has %s", queue(t, slurmName(run)))
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return time.Since(started)
}

// runsOn finds the line that a launched step begins with.
var runsOn = regexp.MustCompile(`(?m)^Slurm job [0-9]+ runs on (n[12])$`)

func TestSlurmJob(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, keys []string) {
		policy, dir := throughSlurm(t, keys...)
		m := start(t, policy)
		j := in(busyboxImage, m.cloneOnce("through Slurm", "cat README", "echo made >out", `echo "job $SLURM_JOB_ID"`, "echo warned >&2"))
		j.AddAfterScript("cat out")
		j.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Type: "archive", Format: "zip"}}
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, "\nmade\n")
		logs(t, run, "\nwarned\n") // from another stream
		if found := runsOn.FindAllString(run.Log(), -1); len(found) != 2 {
			t.Errorf("the log names Slurm's jobs so: %q, want two lines", found)
		}
		if len(run.Artifacts()) != 1 {
			t.Error("the artifact has not arrived")
		}
		failed(t, m.run(in(busyboxImage, job("fails", "exit 42"))), "script_failure", 42)
		failed(t, m.run(in(busyboxImage, job("killed", "kill -9 $$"))), "script_failure", 137)
		m.nothingLeft()
		nothingLaunched(t, dir)
		outOfQueue(t, run)
	})
}

// 50 MB come in order, and whole.
func TestSlurmOutput(t *testing.T) {
	t.Parallel()
	const lines = 650_000 // of 80 bytes
	inBothModes(t, func(t *testing.T, keys []string) {
		policy, _ := throughSlurm(t, keys...)
		m := startConfigured(t, 1, policy, func(c runner.Config) string {
			return strings.Replace(runner.Usual(c), "[[runners]]\n", "[[runners]]\n  output_limit = 102400\n", 1) // KiB
		})
		run := m.run(in(busyboxImage, job("output", fmt.Sprintf("seq -f %%079.0f 1 %d 2>/dev/null || awk 'BEGIN { for (i = 1; i <= %d; i++) printf \"%%079d\\n\", i }'", lines, lines), "echo the end")))
		succeeded(t, run)
		logs(t, run, "the end")
		n := 0
		for line := range strings.Lines(run.Log()) {
			if len(line) != 80 || strings.Trim(line, "0123456789\n") != "" {
				continue
			}
			if n++; line != fmt.Sprintf("%079d\n", n) {
				t.Fatalf("line %d is %q", n, line)
			}
		}
		if n != lines {
			t.Errorf("the log has %d lines, want %d", n, lines)
		}
	})
}

// holdNodes takes all CPUs of both nodes until the test is over, or free is called.
func holdNodes(t *testing.T) (free func()) {
	t.Helper()
	cmd := exec.Command("srun", "--quiet", "--nodes=2", "--exclusive", "sleep", "600")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "SLURM_CONF="+cluster(t).Conf())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	free = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(free)
	for deadline := time.Now().Add(time.Minute); !strings.Contains(queue(t, "--name=sleep"), "RUNNING"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the nodes are not free")
		}
	}
	return free
}

// While a job waits, its log says so, once for each change; a job that is cancelled then
// leaves the queue.
func TestSlurmQueue(t *testing.T) {
	free := holdNodes(t)
	t.Run("waits", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, keys []string) {
			policy, dir := throughSlurm(t, keys...)
			m := start(t, policy)
			cancelled := m.server.Submit(in(busyboxImage, job("cancelled", "echo ran")))
			m.waitLog(cancelled, " is PENDING (")
			began := time.Now()
			cancelled.Cancel()
			m.wait(cancelled)
			outOfQueue(t, cancelled)
			t.Logf("it was out of the queue %s after the cancel", time.Since(began))
			lacks(t, cancelled, "\nran", "podman-executor-run: error")
			m.nothingLeft()
			nothingLaunched(t, dir)

			killed := m.server.Submit(in(busyboxImage, job("killed", "echo ran")))
			m.waitLog(killed, " is PENDING (")
			m.killDriver()
			m.wait(killed)
			outOfQueue(t, killed)
			m.nothingLeft()
			nothingLaunched(t, dir)
		})
	})
	t.Run("begins", func(t *testing.T) {
		policy, _ := throughSlurm(t, launchers["srun"]...)
		m := start(t, policy)
		run := m.server.Submit(in(busyboxImage, job("waits", "echo ran")))
		m.waitLog(run, " is PENDING (")
		time.Sleep(3 * time.Second) // several polls
		free()
		m.wait(run)
		succeeded(t, run)
		logs(t, run, "\nran\n")
		if n := strings.Count(run.Log(), " is PENDING (Resources)\n"); n != 1 {
			t.Errorf("the log says %d times that the job waits for resources:\n%s", n, run.Log())
		}
	})
}

// A cancelled job is over within 15 seconds: in the container, and for Slurm.
func TestSlurmCancelled(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, keys []string) {
		policy, dir := throughSlurm(t, keys...)
		m := start(t, policy)
		run := m.server.Submit(in(busyboxImage, job("cancelled", "trap 'echo told' TERM; while :; do echo holding; sleep 0.1; done")))
		m.waitLog(run, "\nholding\n")
		run.Cancel()
		m.wait(run)
		took := outOfQueue(t, run)
		m.nothingLeft()
		nothingLaunched(t, dir)
		logs(t, run, "\ntold\n")
		failed(t, run, "job_canceled", 0)
		t.Logf("Slurm has the job %s after the job's end", took)
	})
}

// What a job asks of Slurm has to be allowed.
func TestSlurmParameters(t *testing.T) {
	policy, _ := throughSlurm(t, append([]string{`scheduler_variable = "SCHEDULER_PARAMETERS"`, `scheduler_allow_list = ['--nodelist=n[12]']`}, launchers["srun"]...)...)
	m := start(t, policy)
	for _, node := range slurm.Nodes {
		j := in(busyboxImage, job("on "+node, "echo ran"))
		j.SetVariable("SCHEDULER_PARAMETERS", "--nodelist="+node)
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, " runs on "+node+"\n")
	}
	j := in(busyboxImage, job("refused", "echo ran"))
	j.SetVariable("SCHEDULER_PARAMETERS", "--nodelist=n1 --uid=root")
	run := m.run(j)
	failed(t, run, "script_failure", 1)
	logs(t, run, `podman-executor-prepare: error: policy denies SCHEDULER_PARAMETERS: "--uid=root": no entry of scheduler_allow_list matches`)
}

// Four jobs at once are on both nodes.
func TestSlurmFourJobs(t *testing.T) {
	policy, dir := throughSlurm(t, launchers["srun"]...)
	m := startConcurrent(t, 4, policy)
	var runs []*gitlab.Run
	for i := range 4 {
		runs = append(runs, m.server.Submit(in(busyboxImage, job(fmt.Sprintf("job %d", i), untilReleased...))))
	}
	nodes := map[string]int{}
	for _, run := range runs {
		m.waitLog(run, "holding")
	}
	for _, run := range runs {
		m.release(run)
	}
	for _, run := range runs {
		m.wait(run)
		succeeded(t, run)
		if found := runsOn.FindStringSubmatch(run.Log()); found != nil {
			nodes[found[1]]++
		}
	}
	if nodes["n1"] != 2 || nodes["n2"] != 2 {
		t.Errorf("jobs by node: %v", nodes)
	}
	m.nothingLeft()
	nothingLaunched(t, dir)
}

// The policy of the examples needs nothing more than the places of this test.
func TestSlurmExample(t *testing.T) {
	text, err := os.ReadFile("examples/policies/slurm.toml")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n > 10 {
		t.Errorf("the example has %d lines", n)
	}
	_, dir := dataDir(t)
	m := start(t, func(machine string) string {
		places := fmt.Sprintf("data_dir = %q\nstate_dir = %q\n", dir, filepath.Join(machine, "state"))
		policy := strings.Replace(string(text), "data_dir = \"/shared/podman-executor\"\n", places, 1)
		return policy + storageEnvironment("SLURM_CONF="+cluster(t).Conf()) + "\nimage_pull_policy = \"missing\"\n"
	})
	j := in(busyboxImage, job("example", "echo ran"))
	j.SetVariable("SCHEDULER_PARAMETERS", "--time=5 --mem=100M")
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "\nran\n")
	if !runsOn.MatchString(run.Log()) {
		t.Errorf("the log names no job of Slurm's:\n%s", run.Log())
	}
}
