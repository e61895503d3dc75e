//go:build e2e

package e2e

import (
	"net"
	"os"
	"testing"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/harness/runner"
)

// A GitLab on the machine of its runner, whose name has a loopback address in /etc/hosts, as Debian writes it: jobs reach it on podman's
// default network, and on their own.
func TestGitLabOnTheSameMachine(t *testing.T) {
	t.Parallel()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := net.LookupHost(name); err != nil {
		t.Fatalf("add the name of this machine to /etc/hosts: %v", err)
	}
	m := startAt(t, gitlab.Options{Address: "0.0.0.0:0", Host: name}, runner.Config{Concurrent: 1}, defaults("-runner_options"))
	j := in(debianImage, m.cloneOnce("same machine", "cat README", "getent hosts "+name+" | head -n 1", "echo made >out"))
	j.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Type: "archive", Format: "zip"}}
	for _, services := range [][]gitlab.Image{nil, {service(redisImage, "cache")}} {
		j.Services = services
		run := m.run(j)
		succeeded(t, run)
		lacks(t, run, "127.0.0.1 ", "127.0.1.1 ")
		if len(run.Artifacts()) != 1 {
			t.Error("the artifact has not arrived")
		}
	}
}
