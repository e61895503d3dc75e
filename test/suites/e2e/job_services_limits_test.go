//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// As many services as a job may have by default: all are looked at by one command. One
// more is refused, without any podman command.
func TestManyServices(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := in(clientsImage, job("many services", "getent hosts s1 s16 | wc -l"))
	for i := range 16 {
		j.Services = append(j.Services, service(busyboxImage, fmt.Sprintf("s%d", i+1)))
		j.Services[i].Command = []string{"sleep", "1000"}
	}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "\n2\n")
	lacks(t, run, "probably didn't start")
	looks := m.commands("{{.State.Pid}}")
	if len(looks) != 1 || strings.Count(looks[0], "-service-") != 16 {
		t.Errorf("it was looked for services %d times: %q", len(looks), looks)
	}
	before := len(m.commands("podman"))
	j.Services = append(j.Services, service(busyboxImage, "s17"))
	run = m.run(j)
	refused(t, run, "services_limit allows 16 services, and the job would have 17")
	logs(t, run, "policy.toml: general.podman.services_limit")
	if after := m.commands("podman"); len(after) != before {
		t.Errorf("podman commands for a job that is refused: %q", after[before:])
	}
}

// What a service says without end takes no more of the disk than its log may have, and
// its last words are there.
func TestServiceThatFloods(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := in(clientsImage, job("flood", "until curl --silent --fail http://flood:8080/said; do sleep 0.2; done", "redis-cli -h waits blpop seen 60"))
	j.Services = []gitlab.Image{service(busyboxImage, "flood"), service(redisImage, "waits")}
	j.Services[0].Command = []string{"sh", "-c", `mkdir /tmp/d; yes "$(printf %01000d 0)" | head -c 80000000; echo; echo its last words; echo all was said >/tmp/d/said; exec httpd -f -p 8080 -h /tmp/d`}
	run := m.server.Submit(j)
	m.waitLog(run, "all was said")
	services := strings.TrimSuffix(m.container(run, "user"), "user") + "service-"
	log := strings.TrimSpace(podman(t, "inspect", "--format", "{{.HostConfig.LogConfig.Path}}", services+"0"))
	if !overService() {
		info, err := os.Stat(log)
		if err != nil || info.Size() > 50<<20 {
			t.Errorf("the log of a service takes %d bytes (%v)", info.Size(), err)
		}
	}
	if last := podman(t, "logs", "--tail", "1", services+"0"); last != "its last words" {
		t.Errorf("the log ends with %.200q", last)
	}
	podman(t, "exec", services+"1", "redis-cli", "lpush", "seen", "yes")
	m.wait(run)
	m.nothingLeft()
	succeeded(t, run)
}

// On a network that all jobs are on no service takes a name: not that of a host, nor one
// without a dot. Its own job finds it all the same, and so do services after it.
func TestServiceNamesOnASharedNetwork(t *testing.T) {
	t.Parallel()
	network := "podman-executor-test-" + strings.ToLower(t.Name())
	podman(t, "network", "create", network)
	t.Cleanup(func() { podman(t, "network", "rm", "--force", network) })
	m := startConcurrent(t, 2, container(fmt.Sprintf("network_mode = %q", network)))
	const get, port, serve = "curl --silent --max-time 20 http://%s:8080/page", "8080", "exec httpd -f -p 8080 -h /tmp/d"
	listens := gitlab.Variable{Key: "HEALTHCHECK_TCP_PORT", Value: port}
	attack := in(clientsImage, job("attack", fmt.Sprintf(get, "example.org"), fmt.Sprintf(get, "proxy"), fmt.Sprintf(get, "later"), "redis-cli -h waits blpop seen 60"))
	attack.Services = []gitlab.Image{service(busyboxImage, "example.org,proxy", listens), service(busyboxImage, "later", listens), service(redisImage, "waits")}
	attack.Services[0].Command = []string{"sh", "-c", "mkdir /tmp/d; echo of the attacker >/tmp/d/page; " + serve}
	attack.Services[1].Command = []string{"sh", "-c", "mkdir /tmp/d; until wget -q -O /tmp/d/said http://proxy:8080/page; do sleep 0.2; done; sed 's/^/later finds what is /' /tmp/d/said >/tmp/d/page; " + serve}
	run := m.server.Submit(attack)
	m.waitLog(run, "$ redis-cli -h waits")
	logs(t, run, "\nof the attacker\n", "\nof the attacker\n", "later finds what is of the attacker")
	var script []string
	for _, name := range []string{"example.org", "proxy", "later", "waits", "localhost-podman-executor-busybox", "localhost__podman-executor__busybox"} {
		script = append(script, fmt.Sprintf("getent hosts %s || true", name), fmt.Sprintf(get, name)+" || true")
	}
	victim := in(clientsImage, job("victim", script...))
	victim.Info.ProjectID = 8
	other := m.server.Submit(victim)
	m.wait(other)
	succeeded(t, other)
	lacks(t, other, "of the attacker")
	for line := range strings.Lines(other.Log()) {
		if strings.HasPrefix(line, "10.") {
			t.Errorf("a name of another job's: %s", line)
		}
	}
	podman(t, "exec", strings.TrimSuffix(m.container(run, "user"), "user")+"service-2", "redis-cli", "lpush", "seen", "yes")
	m.wait(run)
	m.nothingLeft()
	succeeded(t, run)
}

// Services are held to a list of users, and the image does not choose the groups of a
// number on it.
func TestUsersOfServices(t *testing.T) {
	t.Parallel()
	image := build(t, "FROM "+busyboxImage+"\nRUN printf 'root:x:0:0::/:/bin/sh\\nx:x:1234:0::/:/bin/sh\\n' >/etc/passwd; printf 'root:x:0:\\nwheel:x:10:x\\n' >/etc/group\n")
	m := start(t, defaults(`allowed_users = ["1234"]`, `image_pull_policy = "never"`))
	j := in(image, job("groups", "echo groups $(id -G)", "wget -q -O - http://web:8080/"))
	j.Image.ExecutorOptions.Docker.User = "1234"
	j.Services = []gitlab.Image{service(image, "web")}
	j.Services[0].ExecutorOptions.Docker.User = "1234"
	j.Services[0].Command = []string{"sh", "-c", "mkdir /tmp/d; echo groups of the service $(id -G) >/tmp/d/index.html; exec httpd -f -p 8080 -h /tmp/d"}
	j.Services[0].Variables = []gitlab.Variable{{Key: "HEALTHCHECK_TCP_PORT", Value: "8080"}}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "\ngroups 1234\n", "\ngroups of the service 1234\n")
	for _, user := range []string{"0", "root", "1234:0", "x"} {
		j.Services[0].ExecutorOptions.Docker.User = user
		refused(t, m.run(j), fmt.Sprintf("user %q: not in allowed_users", user))
	}
}
