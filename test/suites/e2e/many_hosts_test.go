//go:build e2e && remote

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/harness/runner"
)

// Tests of podman on other hosts: such that die, and the other user's, see
// test/suites/remote/run. `make test-remote` runs them.

// twoHosts is a machine whose jobs get one of two hosts: one that can die, and the other
// user's. The first is podman of this user, so a machine looks there for what is left.
type twoHosts struct {
	*machine
	// ssh and socket are the URLs of the other user's.
	ssh, socket string
}

// startTwoHosts starts a machine with h and the other user's host.
func startTwoHosts(t *testing.T, h *host) twoHosts {
	t.Helper()
	other := environment(t, "PODMAN_EXECUTOR_TEST_SSH")
	h.write("known_hosts", h.read("known_hosts")+othersKnownHosts(t))
	// One key is for all hosts.
	h.shell("cp " + environment(t, "PODMAN_EXECUTOR_TEST_IDENTITY") + " id && ssh-keygen -y -f id | tee id.pub >authorized_keys")
	m := start(t, defaults(h.keys(fmt.Sprintf("service_urls = [%q, %q]", h.url(), other))...))
	hosts := twoHosts{machine: m, ssh: other, socket: environment(t, "PODMAN_EXECUTOR_TEST_SOCKET")}
	t.Cleanup(func() {
		if names := hosts.others("volume", "ls", "--format", "{{.Name}}"); len(names) > 0 {
			podman(t, append([]string{"--url", hosts.socket, "volume", "rm", "--force"}, names...)...)
		}
	})
	return hosts
}

func othersKnownHosts(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(environment(t, "PODMAN_EXECUTOR_TEST_KNOWN_HOSTS"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// others returns what a podman command lists of the machine's jobs on the other user's host.
func (m twoHosts) others(args ...string) []string {
	m.Helper()
	names := strings.Fields(podman(m.T, append([]string{"--url", m.socket}, args...)...))
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, "podman-executor-"+m.token+"-") })
}

// nothingLeft checks that neither host has anything of the machine's jobs.
func (m twoHosts) nothingLeft() {
	m.Helper()
	m.machine.nothingLeft()
	left := append(m.others("ps", "--all", "--format", "{{.Names}}"), m.others("network", "ls", "--format", "{{.Name}}")...)
	if len(left) > 0 {
		m.Errorf("on the other user's host there is left: %q", left)
	}
}

// runOf runs a job of a project, whatever is left of it on a host that died.
func (m twoHosts) runOf(project int64, script ...string) *gitlab.Run {
	m.Helper()
	run := m.submit(project, script...)
	m.wait(run)
	return run
}

func (m twoHosts) submit(project int64, script ...string) *gitlab.Run {
	j := job("hosts", script...)
	j.Info.ProjectID = project
	return m.server.Submit(j)
}

// mostProjects is how many projects are tried for one that gets a certain host: with
// two hosts, half of them do.
const mostProjects = 14

// projectOn returns a project whose jobs get the host; one of them has passed.
func (m twoHosts) projectOn(url string, script ...string) int64 {
	m.Helper()
	for project := range int64(mostProjects) {
		run := m.runOf(project+1, script...)
		if succeeded(m.T, run); m.Failed() {
			m.FailNow()
		}
		if strings.Contains(run.Log(), "Using the podman service "+url) {
			return project + 1
		}
	}
	m.Fatalf("none of %d projects gets %s", mostProjects, url)
	return 0
}

func TestUnknownHost(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.write("known_hosts", othersKnownHosts(t))
	m := start(t, defaults(h.keys(fmt.Sprintf("service_url = %q", h.url()))...))
	run := m.run(job("never", "echo never"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "error: cannot connect to the podman service "+h.url()+": the host's key is not in "+h.file("known_hosts"),
		"hint: add its line to "+h.file("known_hosts")+" (general.podman.known_hosts): `ssh-keyscan -p "+h.port+" 127.0.0.1` prints it")
	if h.read("known_hosts") != othersKnownHosts(t) {
		t.Error("known_hosts has changed")
	}
}

func TestHostWithAnotherKey(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.shell("ssh-keygen -q -t ed25519 -N '' -f another")
	h.write("known_hosts", "[127.0.0.1]:"+h.port+" "+h.read("another.pub"))
	// Another host would do: but one that is not what it should be is never passed over in silence.
	m := start(t, defaults(h.keys(fmt.Sprintf("service_urls = [%q]", h.url()))...))
	run := m.run(job("never", "echo never"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "error: cannot connect to the podman service "+h.url()+": the host's key differs from the one in "+h.file("known_hosts")+"",
		"hint: this may be the wrong machine")
}

// TestKeyThatIsNotAccepted: an agent that has the right key is not asked.
func TestKeyThatIsNotAccepted(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	agent := exec.Command("ssh-agent", "-D", "-a", h.file("agent"))
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
	})
	h.shell("while ! test -S agent; do sleep 0.1; done; SSH_AUTH_SOCK=$PWD/agent ssh-add -q id && ssh-keygen -q -t ed25519 -N '' -f another")
	m := startRunner(t, runner.Config{Environment: []string{"SSH_AUTH_SOCK=" + h.file("agent")}},
		defaults(append(sshFiles(h.file("another"), h.file("known_hosts")), fmt.Sprintf("service_url = %q", h.url()))...))
	run := m.run(job("never", "echo never"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "error: cannot connect to the podman service "+h.url()+": the host does not accept the key "+h.file("another"),
		"hint: add "+h.file("another")+".pub to ~/.ssh/authorized_keys of the user there")
}

// TestKnownHostsOfOthers: who can write to known_hosts decides where jobs run.
func TestKnownHostsOfOthers(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if err := os.Chmod(h.file("known_hosts"), 0o666); err != nil {
		t.Fatal(err)
	}
	m := start(t, defaults(h.keys(fmt.Sprintf("service_url = %q", h.url()))...))
	run := m.run(job("never", "echo never"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "error: general.podman.known_hosts cannot be trusted: "+h.file("known_hosts")+" is writable by everyone", "hint: run `chmod go-w "+h.file("known_hosts")+"`")
}

// TestTwoHosts: the jobs of a project get the same host again, with what they left there;
// when it is dead the other one, and when it is back the first.
func TestTwoHosts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	m := startTwoHosts(t, h)
	script := []string{"test ! -e /cache/left || echo it is warm", "touch /cache/left", "exit 0"}
	project := m.projectOn(h.url(), script...)
	using := "Using the podman service "
	again := m.runOf(project, script...)
	logs(t, again, using+h.url(), "it is warm")

	h.die()
	began := time.Now()
	run := m.runOf(project, script...)
	succeeded(t, run)
	logs(t, run, "Skipping podman service "+h.url()+": ", "Connection refused", using+m.ssh)
	t.Logf("figure: a job whose host is dead takes %s", time.Since(began).Round(time.Second))

	h.start()
	h.forgetFailure()
	back := m.runOf(project, script...)
	succeeded(t, back)
	logs(t, back, using+h.url(), "it is warm")
	m.nothingLeft()
}

func TestNoHostAnswers(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.die()
	m := start(t, defaults(h.keys(fmt.Sprintf("service_urls = [%q, \"unix://%s/none.sock\"]", h.url(), h.dir))...))
	run := m.run(job("never", "echo never"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "error: none of the podman services answers", "hint: the reasons are above")
	for _, reason := range []string{"Connection refused", "connect: no such file or directory"} {
		if !strings.Contains(run.Log(), reason) {
			t.Errorf("the job log lacks %q:\n%s", reason, run.Log())
		}
	}
}

// TestHostDies: a host that dies in the middle of a job ends it as a failure of the
// system, whatever podman says of a connection that broke; what the job left there goes
// with a later job, and jobs of its project go on elsewhere.
func TestHostDies(t *testing.T) {
	t.Parallel()
	for name, dies := range map[string]func(*host){"ends": (*host).die, "freezes": (*host).freeze} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			m := startTwoHosts(t, h)
			project := m.projectOn(h.url(), "true")
			run := m.submit(project, endless...)
			m.waitLog(run, "tick")
			dies(h)
			began := time.Now()
			m.wait(run)
			t.Logf("figure: a job ends %s after its host %s", time.Since(began).Round(time.Second), name)
			failed(t, run, "runner_system_failure", 0)
			logs(t, run, "tick", "error: the connection to the podman service broke while the step ran: ")

			h.die() // what is frozen, too
			next := m.runOf(project, "echo elsewhere")
			succeeded(t, next)
			logs(t, next, "Skipping podman service", "Using the podman service "+m.ssh, "elsewhere")

			h.start()
			h.forgetFailure()
			last := m.runOf(project, "echo back")
			succeeded(t, last)
			m.nothingLeft()
		})
	}
}
