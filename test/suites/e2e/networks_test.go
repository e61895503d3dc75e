//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// reach is a script that tries a Redis at each of the addresses in PEERS, and says which answers.
const reach = `for a in $PEERS; do
	case $(timeout 5 redis-cli -h "$a" ping 2>&1) in *PONG*) echo "REACHED $a";; *) echo "apart from $a";; esac &
done
wait`

// Two jobs with services reach neither the services nor the user containers of each other: by IPv4 and IPv6, by address and
// by name, from the job and from a service of it; nor once a third job's network has gone, when netavark's driver for
// iptables forgets its rules. Each has its own all the same.
func TestNetworksApart(t *testing.T) {
	t.Parallel()
	if overService() && oldPodman(t) {
		// There nobody keeps the rules of netavark, and other tests' jobs end meanwhile.
		table, _ := doctor(t, policyText(t.TempDir(), nil, nil), nil)
		_, row, ok := strings.Cut(table, "\njobs' networks ")
		if !ok {
			t.Errorf("--doctor does not say whether networks are apart:\n%s", table)
		}
		row, _, _ = strings.Cut(row, "\n")
		t.Logf("--doctor says of networks: %s", row)
		return
	}
	m := startConcurrent(t, 3, defaults("enable_ipv6 = true"))
	// The job itself listens, too: with the Redis of its service's image.
	victim := in(redisImage, job("victim", append([]string{
		"redis-server --protected-mode no --daemonize yes >/dev/null",
		"redis-cli -h victims-cache ping && echo own service",
		"until redis-cli ping; do sleep 0.2; done",
	}, untilReleased...)...))
	victim.Services = []gitlab.Image{service(redisImage, "victims-cache")}
	one := m.server.Submit(victim)
	m.waitLog(one, "holding")
	logs(t, one, "PONG", "own service")
	peers := slices.Concat(m.addresses(one, "service-0"), m.addresses(one, "user"), []string{"victims-cache"})

	// Answers only within the network that it is on: a Redis of the attacker's.
	attacker := in(clientsImage, job("attacker", append([]string{"redis-cli -h own ping && echo own service", "getent hosts victims-cache || echo no such name"}, untilReleased...)...))
	attacker.SetVariable("CI_DEBUG_SERVICES", "true")
	attacker.Services = []gitlab.Image{service(redisImage, "own"), service(clientsImage, "client")}
	attacker.Services[1].Command = []string{"sleep", "600"}
	two := m.server.Submit(attacker)
	m.waitLog(two, "holding")
	logs(t, two, "own service", "no such name")
	// What answers on the attacker's own network shows that the script would reach the others.
	own := m.addresses(two, "service-0")
	look := func(when string) {
		for _, role := range []string{"user", "service-1"} {
			said := podman(t, "exec", "--env", "PEERS="+strings.Join(slices.Concat(own, peers), " "), m.container(two, role), "sh", "-c", reach)
			if strings.Count(said, "REACHED") != len(own) || strings.Count(said, "apart from") != len(peers) {
				t.Errorf("%s, the attacker's %s says:\n%s", when, role, said)
			}
		}
	}
	look("at first")
	third := in(clientsImage, job("third", "redis-cli -h cache ping"))
	third.Services = []gitlab.Image{service(redisImage, "cache")}
	run := m.server.Submit(third)
	m.wait(run)
	succeeded(t, run)
	look("after a third job")
	for _, run := range []*gitlab.Run{two, one} {
		m.release(run)
		m.wait(run)
		succeeded(t, run)
	}
	m.nothingLeft()
}

// addresses are those of a container on its network, of IPv4 and of IPv6.
func (m *machine) addresses(run *gitlab.Run, role string) []string {
	m.Helper()
	list := strings.Fields(podman(m.T, "inspect", "--format",
		"{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}", m.container(run, role)))
	if len(list) != 2 {
		m.Fatalf("the container %s of job %q has the addresses %v, want one of IPv4 and one of IPv6", role, run.Job.Info.Name, list)
	}
	return list
}

// oldPodman tells whether podman is of 4.x, which keeps networks with the option isolate apart from each other only.
func oldPodman(t *testing.T) bool {
	t.Helper()
	return strings.HasPrefix(podman(t, "version", "--format", "{{.Client.Version}}"), "4.")
}

// What is on podman's default bridge, such as a job of a policy with network_mode = "bridge", does not reach a job's network where podman can keep
// it away.
func TestNetworkApartFromTheBridge(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := in(clientsImage, job("victim", untilReleased...))
	j.Services = []gitlab.Image{service(redisImage, "cache")}
	run := m.server.Submit(j)
	m.waitLog(run, "holding")
	address := podman(t, "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", m.container(run, "service-0"))
	said := podman(t, "run", "--rm", "--network", "podman", "--env", "PEERS="+address, clientsImage, "sh", "-c", reach)
	want := "apart from " + address
	if oldPodman(t) { // it has no such option: docs/policy.md says so
		want = "REACHED " + address
	}
	if said != want {
		t.Errorf("from the default bridge: %q, want %q", said, want)
	}
	m.release(run)
	m.wait(run)
	succeeded(t, run)
	m.nothingLeft()
}

// Images whose WORKDIR is below a link to a directory of the host make nothing there, as runner, user container and service; and
// scripts begin in the WORKDIR of an image that is well.
func TestWorkdirOfLinks(t *testing.T) {
	t.Parallel()
	host, err := os.MkdirTemp("", "host-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(host) })
	if err := os.Chmod(host, 0o777); err != nil { // podman over a service is another user's
		t.Fatal(err)
	}
	linked := func(base, more string) string {
		name := build(t, fmt.Sprintf("FROM %s\nRUN ln -s %s /w\n%s", base, host, more))
		// podman build would make the directory in the image.
		container := "e2e-" + name[strings.LastIndex(name, "-")+1:]
		podman(t, "create", "--name", container, "--workdir", "/", name, "true")
		defer podman(t, "rm", container)
		podman(t, "commit", "--quiet", "--change", "WORKDIR /w/made", container, name)
		return name
	}
	user, served := linked(busyboxImage, ""), linked(redisImage, "")
	runnerOfLinks := linked(runnerImage, "")
	m := start(t, defaults(fmt.Sprintf("runner_image = %q", runnerOfLinks)))
	succeeded(t, m.run(in(user, job("user", "echo ran"))))
	refusedJob := in(clientsImage, job("service", "echo ran"))
	refusedJob.Services = []gitlab.Image{service(served, "cache")}
	refused(t, m.run(refusedJob), "starting the service "+served, `workdir "/w/made" does not exist`)
	nothingIn(t, host)

	// An entry point of the image's own begins in its WORKDIR.
	entry := start(t, defaults("image_entry_point = true"))
	succeeded(t, entry.run(in(user, job("entry point", "echo ran"))))
	nothingIn(t, host)
	deep := build(t, "FROM "+busyboxImage+"\nRUN mkdir -p /deep/down && printf '#!/bin/sh\\necho begins in $PWD\\nexec \"$@\"\\n' >/bin/entry && chmod 755 /bin/entry\nWORKDIR /deep/down\nENTRYPOINT [\"/bin/entry\"]\n")
	run := entry.run(in(deep, job("workdir", "echo ran")))
	succeeded(t, run)
	logs(t, run, "begins in /deep/down\n")
}

// nothingIn fails where a directory has entries.
func nothingIn(t *testing.T, dir string) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("containers have made %v on the host (%v)", entries, err)
	}
}
