//go:build remote

package remote

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podman-executor/test/gitlab"
)

const systemFailure = "runner_system_failure"

// both starts a machine whose jobs get one of two hosts: h, which can die, and the
// other user's.
func both(t *testing.T, h *host) *machine {
	t.Helper()
	other := otherSSH(t)
	h.write("known_hosts", h.read("known_hosts")+knownHosts(t))
	// One key is for all hosts.
	h.shell("cp " + variable(t, "PODMAN_EXECUTOR_TEST_IDENTITY") + " id && ssh-keygen -y -f id | tee id.pub >authorized_keys")
	return start(t, []string{h.socket(), otherSocket(t)},
		append(h.keys(), fmt.Sprintf("service_urls = [%q, %q]", h.url(), other))...)
}

func knownHosts(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(variable(t, "PODMAN_EXECUTOR_TEST_KNOWN_HOSTS"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// mostProjects is how many projects are tried for one that gets a certain host: with
// two hosts, half of them do.
const mostProjects = 14

// projectOn returns a project whose jobs get the host, and a job of it that has passed.
func (m *machine) projectOn(url string, script ...string) (int64, *gitlab.Run) {
	m.Helper()
	for project := range int64(mostProjects) {
		run := m.run(project+1, script...)
		if m.ended(run, gitlab.StateSuccess, ""); m.Failed() {
			m.FailNow()
		}
		if strings.Contains(run.Log(), "Using the podman service "+url) {
			return project + 1, run
		}
	}
	m.Fatalf("none of %d projects gets %s", mostProjects, url)
	return 0, nil
}

func TestUnknownHost(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.write("known_hosts", knownHosts(t))
	m := start(t, []string{h.socket()}, append(h.keys(), fmt.Sprintf("service_url = %q", h.url()))...)
	run := m.run(1, "echo never")
	m.ended(run, gitlab.StateFailed, systemFailure)
	m.says(run, "error: no connection to the podman service "+h.url()+": the host's key is not in "+h.file("known_hosts"),
		"hint: add its line to "+h.file("known_hosts")+" (general.podman.known_hosts): `ssh-keyscan -p "+h.port+" 127.0.0.1` prints it")
	if h.read("known_hosts") != knownHosts(t) {
		t.Error("known_hosts has changed")
	}
	m.nothingLeft()
}

func TestHostWithAnotherKey(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.shell("ssh-keygen -q -t ed25519 -N '' -f another")
	h.write("known_hosts", "[127.0.0.1]:"+h.port+" "+h.read("another.pub"))
	// Another host would do: but one that is not what it should be is never passed over in silence.
	m := start(t, []string{h.socket()}, append(h.keys(), fmt.Sprintf("service_urls = [%q]", h.url()))...)
	run := m.run(1, "echo never")
	m.ended(run, gitlab.StateFailed, systemFailure)
	m.says(run, "error: no connection to the podman service "+h.url()+": the host has another key than "+h.file("known_hosts")+" says",
		"hint: this may be another machine than it should be")
	m.nothingLeft()
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
	m := startWith(t, []string{"SSH_AUTH_SOCK=" + h.file("agent")}, []string{h.socket()},
		append(files(h.file("another"), h.file("known_hosts")), fmt.Sprintf("service_url = %q", h.url()))...)
	run := m.run(1, "echo never")
	m.ended(run, gitlab.StateFailed, systemFailure)
	m.says(run, "error: no connection to the podman service "+h.url()+": the host does not accept the key "+h.file("another"),
		"hint: add "+h.file("another")+".pub to ~/.ssh/authorized_keys of the user there")
	m.nothingLeft()
}

// TestKnownHostsOfOthers: who can write to known_hosts decides where jobs run.
func TestKnownHostsOfOthers(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if err := os.Chmod(h.file("known_hosts"), 0o666); err != nil {
		t.Fatal(err)
	}
	m := start(t, []string{h.socket()}, append(h.keys(), fmt.Sprintf("service_url = %q", h.url()))...)
	run := m.run(1, "echo never")
	m.ended(run, gitlab.StateFailed, systemFailure)
	m.says(run, "error: "+h.file("known_hosts")+" can be written to by everybody", "hint: `chmod go-w "+h.file("known_hosts")+"`")
}

// TestTwoHosts: the jobs of a project get the same host again, with what they left there;
// when it is dead the other one, and when it is back the first.
func TestTwoHosts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	m := both(t, h)
	script := []string{"test ! -e /cache/left || echo it is warm", "touch /cache/left", "exit 0"}
	project, _ := m.projectOn(h.url(), script...)
	using := "Using the podman service "
	again := m.run(project, script...)
	m.says(again, using+h.url(), "it is warm")

	h.die()
	began := time.Now()
	run := m.run(project, script...)
	m.ended(run, gitlab.StateSuccess, "")
	m.says(run, "Passing over a service: the podman service "+h.url()+" does not answer: ", "Connection refused", using+otherSSH(t))
	if took := time.Since(began); took > 40*time.Second {
		t.Errorf("with a dead host a job takes %s", took)
	}

	h.start()
	h.forgetFailure()
	back := m.run(project, script...)
	m.ended(back, gitlab.StateSuccess, "")
	m.says(back, using+h.url(), "it is warm")
	m.nothingLeft()
}

// forgetFailure spares the test the time for which a dead host is not tried again.
func (h *host) forgetFailure() {
	found, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "podman-executor", "ssh-*", "failed"))
	for _, name := range found {
		_ = os.Remove(name)
	}
}

func TestNoHostAnswers(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.die()
	m := start(t, nil, append(h.keys(), fmt.Sprintf("service_urls = [%q, \"unix://%s/none.sock\"]", h.url(), h.dir))...)
	run := m.run(1, "echo never")
	m.ended(run, gitlab.StateFailed, systemFailure)
	m.says(run, "error: none of the podman services answers", "hint: see why above")
	for _, reason := range []string{"Connection refused", "connect: no such file or directory"} {
		if !strings.Contains(run.Log(), reason) {
			t.Errorf("the job log lacks %q:\n%s", reason, run.Log())
		}
	}
}

// endless prints until it is told to stop.
var endless = []string{"echo started", "while sleep 0.2; do echo tick; done"}

// most is how long a job goes on after its host has died.
const most = 75 * time.Second

// TestHostDies: a host that dies in the middle of a job ends it as a failure of the
// system, whatever podman says of a connection that broke; what the job left there goes
// with a later job, and jobs of its project go on elsewhere.
func TestHostDies(t *testing.T) {
	t.Parallel()
	for name, dies := range map[string]func(*host){"ends": (*host).die, "freezes": (*host).freeze} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			m := both(t, h)
			project, _ := m.projectOn(h.url(), "true")
			run := m.submit(project, endless...)
			m.waitLog(run, "tick")
			dies(h)
			began := time.Now()
			m.wait(run)
			t.Logf("figure: a job ends %s after its host %s", time.Since(began).Round(time.Second), name)
			if took := time.Since(began); took > most {
				t.Errorf("the job goes on for %s", took)
			}
			m.ended(run, gitlab.StateFailed, systemFailure)
			m.says(run, "tick", "error: the connection to the podman service broke while the step ran: ")

			h.die() // what is frozen, too
			next := m.run(project, "echo elsewhere")
			m.ended(next, gitlab.StateSuccess, "")
			m.says(next, "Passing over a service", "Using the podman service "+otherSSH(t), "elsewhere")

			h.start()
			h.forgetFailure()
			last := m.run(project, "echo back")
			m.ended(last, gitlab.StateSuccess, "")
			m.nothingLeft()
		})
	}
}
