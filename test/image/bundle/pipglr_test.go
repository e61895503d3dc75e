//go:build image

package bundle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"podman-executor/test/gitlab"
)

// Every command of pipglr's README, in its order and as it stands there, works as
// it says, with another name for the image. What the README says of GitLab.com holds
// for the one of the tests.
func TestCommandsOfPipglr(t *testing.T) {
	m := newMachine(t)
	m.image = m.ofThisGitLab()
	m.do("echo '" + token + "' | podman secret create REGISTRATION_TOKEN -")
	m.do("touch ./config.toml # important: file must exist, even if empty.")
	m.do("podman container runlabel register $IMAGE")
	m.do("podman container runlabel register $IMAGE")
	m.do("podman secret rm REGISTRATION_TOKEN # if desired")
	m.do("EDITOR=cat; $EDITOR ./config.toml # if desired")
	m.do("podman secret create config.toml ./config.toml")
	m.do("rm ./config.toml # if desired")
	m.do("podman container runlabel setupstorage $IMAGE")
	m.do("podman container runlabel setupcache $IMAGE")
	m.do("podman container runlabel run $IMAGE")
	succeeded(t, m.run(gitlab.NewJob("hello", "echo hello")))

	m.do("podman container runlabel dumpconfig $IMAGE > ./config.toml")
	m.do("EDITOR='sed -i s/^concurrent.*/concurrent=3/'; $EDITOR ./config.toml")
	m.do("podman secret rm config.toml")
	m.do("podman secret create config.toml ./config.toml")
	m.do("rm ./config.toml # if desired")
	if log := m.do("podman logs --since 0 pipglr"); !strings.Contains(log, "max_builds=2") {
		t.Errorf("gitlab-runner does not know of two jobs at once after two registrations:\n%s", tail(log, 4000))
	}

	m.do("podman rm --force " + container)
	m.do("podman volume rm pipglr-storage pipglr-cache")
	for _, label := range []string{"setupstorage", "setupcache", "run"} {
		m.do("eval $(podman inspect --format=json $IMAGE | jq -r .[].Labels." + label + ")")
	}
	succeeded(t, m.run(gitlab.NewJob("again", "echo hello")))
	log := m.do("podman logs --since 0 pipglr")
	for _, text := range []string{"systemd[1]: ", "gitlab-runner[", "podman[", "max_builds=3"} {
		if !strings.Contains(log, text) {
			t.Errorf("podman logs lacks %q", text)
		}
	}
}

// ofThisGitLab makes an image whose `register` asks the GitLab of the tests where the
// bundle's asks gitlab.com.
func (m *machine) ofThisGitLab() string {
	m.Helper()
	file := fmt.Sprintf("FROM %s\nENV CI_SERVER_URL=%s\n", m.image, m.gitlab.URL())
	if err := os.WriteFile(filepath.Join(m.dir, "Containerfile"), []byte(file), 0o644); err != nil {
		m.Fatal(err)
	}
	image := "localhost/podman-executor/bundle-gitlab:latest"
	m.do("podman build --quiet --tag " + image + " . && rm ./Containerfile")
	m.Cleanup(func() { _ = exec.Command("podman", "rmi", "--force", image).Run() })
	return image
}

// The README's way to build the image, with what there is no registry for: Go and
// gitlab-runner of this machine. Most of it is in podman's cache.
func TestBuildOfPipglr(t *testing.T) {
	m := newMachine(t)
	image := "localhost/podman-executor/bundle-built:latest"
	t.Cleanup(func() { _ = exec.Command("podman", "rmi", "--force", image).Run() })
	m.dir = "." // where test/staged has put the repository's files
	out := m.do("podman build -t " + image + " --network host --pull=never --build-arg GO_IMAGE=localhost/podman-executor/go:latest" +
		" --volume $(go env GOROOT):/usr/local/go:ro --volume $(ls /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt 2>/dev/null | head -n 1):/usr/local/share/host-certificates.crt:ro" +
		" --build-context runner=bin .")
	if !strings.Contains(out, "Successfully tagged "+image) {
		t.Errorf("podman build says\n%s", tail(out, 2000))
	}
}
