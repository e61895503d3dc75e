//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/harness/runner"
)

// until is a script that ends well when its container has the file /tmp/end.
var until = []string{"echo started", "while ! test -e /tmp/end; do sleep 0.2; done", "echo has survived"}

// byHand calls podman-executor-cleanup as an administrator does, with the policy of
// the machine and its runner's TMPDIR, and returns what it prints and its exit status.
func (m *machine) byHand(options ...string) (stdout, stderr string, status int) {
	m.Helper()
	args := append([]string{"--policy", filepath.Join(m.dir, "policy.toml")}, options...)
	cmd := exec.Command(filepath.Join(environment(m.T, "PODMAN_EXECUTOR_BIN"), "podman-executor-cleanup"), args...)
	cmd.Dir = "/"
	for _, name := range []string{"HOME", "USER", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Env = append(cmd.Env, "TMPDIR="+m.runner.TempDir())
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		m.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// row returns the line of a table that has the words, in that order.
func row(table string, words ...string) bool {
	for line := range strings.Lines(table) {
		rest, found := line, true
		for _, w := range words {
			if found {
				_, rest, found = strings.Cut(rest, w)
			}
		}
		if found {
			return true
		}
	}
	return false
}

// living are jobs that run until they are told to end.
func (m *machine) living(n int) []*gitlab.Run {
	m.Helper()
	var runs []*gitlab.Run
	for i := range n {
		j := job(fmt.Sprintf("living %d", i), until...)
		if i%4 == 0 {
			j = in(clientsImage, job(fmt.Sprintf("living %d, with a service", i), append(until, "redis-cli -h cache ping")...))
			j.Services = []gitlab.Image{service(redisImage, "cache")}
		}
		runs = append(runs, m.server.Submit(j))
	}
	for _, run := range runs {
		m.waitLog(run, "\nstarted\n")
	}
	return runs
}

// survived tells the jobs to end, and checks that nothing has happened to them.
func (m *machine) survived(runs []*gitlab.Run) {
	m.Helper()
	for _, run := range runs {
		_ = podmanCommand("exec", m.container(run, "user"), "touch", "/tmp/end").Run()
	}
	for _, run := range runs {
		m.wait(run)
		succeeded(m.T, run)
		logs(m.T, run, "\nhas survived\n")
	}
	m.nothingLeft()
}

// foreign makes a container, a network and a volume that no driver made, and
// returns a check that they are there.
func foreign(t *testing.T, name string) (check func()) {
	t.Helper()
	podman(t, "network", "create", name)
	podman(t, "volume", "create", name)
	podman(t, "create", "--name", name, "--network", name, busyboxImage, "true")
	t.Cleanup(func() {
		podman(t, "rm", "--force", "--ignore", name)
		podman(t, "network", "rm", name)
		podman(t, "volume", "rm", name)
	})
	return func() {
		t.Helper()
		for _, kind := range []string{"container", "network", "volume"} {
			if err := podmanCommand(kind, "exists", name).Run(); err != nil {
				t.Errorf("the foreign %s is gone: %v", kind, err)
			}
		}
	}
}

// What a killed runner has left goes, and nothing else, while eight jobs of
// another runner go on. Not beside other tests: the prepare of any job would
// remove it.
func TestOrphans(t *testing.T) {
	others := startConcurrent(t, 8, defaults())
	runs := others.living(8)
	check := foreign(t, "foreign-"+others.token)

	m := start(t, defaults())
	j := in(clientsImage, job("dies with its runner", endless...))
	j.Services = []gitlab.Image{service(redisImage, "cache")}
	killed := m.server.Submit(j)
	m.waitLog(killed, "tick")
	m.killDriver()
	m.runner.Kill()
	prefix := strings.TrimSuffix(m.container(killed, "user"), "user")
	orphans := [][2]string{
		{"container", prefix + "user"},
		{"container", prefix + "runner"},
		{"container", prefix + "service-0"},
		{"network", prefix + "network"},
		{"directory", m.runner.TempDir() + "/custom-executor"},
	}

	// podman itself ends what outlives runner and driver: after the job's timeout and
	// a minute.
	for _, o := range orphans[:3] {
		if got := podman(t, "container", "inspect", "--format", "{{.Config.Timeout}}", o[1]); got != "360" {
			t.Errorf("the container %s has the timeout %s, want 360", o[1], got)
		}
	}

	m.dryRunNames(orphans, others.token)

	// A foreign container on the network of the dead job: neither goes, and that is said.
	joined := "joined-" + m.token
	podman(t, "create", "--name", joined, "--network", prefix+"network", busyboxImage, "true")
	_, stderr, status := m.byHand("--orphans")
	if status != 1 || !strings.Contains(stderr, "podman-executor-cleanup: error: removing the network "+prefix+"network: ") {
		t.Errorf("it ends with %d and says %s", status, stderr)
	}
	podman(t, "rm", joined) // fails where it is gone
	if _, stderr, status = m.byHand("--orphans"); status != 0 || stderr != "" {
		t.Errorf("it ends with %d and says %s", status, stderr)
	}
	m.nothingLeft()
	check()
	others.survived(runs)
}

// dryRunNames checks that a dry run names the orphans, kinds and names, and nothing of a living runner, and removes nothing.
func (m *machine) dryRunNames(orphans [][2]string, living string) {
	m.Helper()
	table, stderr, status := m.byHand("--orphans", "--dry-run")
	if status != 0 || stderr != "" {
		m.Errorf("--dry-run ends with %d and says %s", status, stderr)
	}
	left := strings.Join(m.leftovers(), "\n")
	for _, o := range orphans {
		if !row(table, o[0], o[1], "its runner is gone") {
			m.Errorf("the table lacks the %s %s:\n%s", o[0], o[1], table)
		}
		if !strings.Contains(left, filepath.Base(o[1])) {
			m.Errorf("after --dry-run the %s %s is gone", o[0], o[1])
		}
	}
	if strings.Contains(table, living) {
		m.Errorf("the table has what is of a living runner:\n%s", table)
	}
}

// A job is over when its runner says so, although its cleanup has failed: its
// containers go while the runner lives, by hand or with the next job.
func TestOrphansOfFailedCleanup(t *testing.T) {
	m := startConfigured(t, 1, defaults(), func(c runner.Config) string {
		return strings.Replace(runner.Usual(c), filepath.Join(c.Driver, "podman-executor-cleanup"), "/bin/false", 1)
	})
	first := m.server.Submit(job("first", "echo ran"))
	m.wait(first)
	succeeded(t, first)
	// Fails where nothing is left: then this test would show nothing.
	left := m.container(first, "user")
	second := m.server.Submit(job("second", "echo ran"))
	m.wait(second)
	succeeded(t, second)
	if all := strings.Join(m.leftovers(), "\n"); strings.Contains(all, left) {
		t.Errorf("the next job has not removed %s:\n%s", left, all)
	}
	left = m.container(second, "user")
	table, stderr, status := m.byHand("--orphans")
	if status != 0 || stderr != "" || !row(table, "container", left, "its job has finished") {
		t.Errorf("it ends with %d and says %s%s", status, stderr, table)
	}
	m.nothingLeft()
}

// podman is asked for containers of jobs that are over only where there may be some:
// after a job whose runner was killed, by the mark that the job has left, and after a
// boot. Not beside other tests: theirs leave marks, too.
func TestLooksForLeftovers(t *testing.T) {
	p := newTrap(t)
	m := start(t, defaults(p.key()))
	looks := func(name string) bool {
		before := len(p.calls())
		succeeded(t, m.run(job(name, "echo ran")))
		return slices.Contains(p.since(before), "ps")
	}
	orphan := func(name string) (container string) {
		dead := start(t, defaults(p.key()))
		run := dead.server.Submit(job(name, endless...))
		dead.waitLog(run, "tick")
		dead.killDriver()
		dead.runner.Kill()
		return dead.container(run, "user")
	}
	removed := func(container string) {
		t.Helper()
		if podmanCommand("container", "exists", container).Run() == nil {
			t.Errorf("the next job has not removed %s", container)
		}
	}

	if !looks("first") {
		t.Error("the first job has not looked")
	}
	if looks("second") {
		t.Error("a job has looked although nothing was left")
	}
	left := orphan("dies with its runner")
	if !looks("third") {
		t.Error("a job has not looked although a runner was killed")
	}
	removed(left)
	if looks("fourth") {
		t.Error("a job has looked although nothing was left any more")
	}
	left = orphan("dies with the machine")
	if err := os.RemoveAll(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "podman-executor")); err != nil {
		t.Fatal(err)
	}
	if !looks("fifth") {
		t.Error("a job has not looked after a boot")
	}
	removed(left)
	m.nothingLeft()
}

// A container has the name of one of the job's, and no mark tells so, as where podman
// has finished making it after its driver was killed: it goes, and the job runs.
func TestNameTaken(t *testing.T) {
	t.Parallel()
	p := newTrap(t)
	m := start(t, defaults(p.key()))
	succeeded(t, m.run(job("looks", "echo ran")))
	p.armFor(making()+" *-user *", `"$podman" "$@" >"$traps/hit"`)
	before := len(p.calls())
	succeeded(t, m.run(job("finds its name taken", "echo ran")))
	p.waitCaught()
	creates := 0
	for _, verb := range p.since(before) {
		if verb == making() {
			creates++
		}
	}
	if creates != 3 {
		t.Errorf("podman was told %d times to make a container, want 3: %q", creates, p.since(before))
	}
	m.nothingLeft()
}
