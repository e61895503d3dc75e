//go:build image

package bundle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
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

// A configuration of pipglr's with the change that the page shows is one for this
// image, and becomes the secret in the place of the old one.
func TestConfigurationOfPipglr(t *testing.T) {
	m := newMachine(t)
	text, err := os.ReadFile("migrating-from-pipglr.md")
	if err != nil {
		t.Fatal(err)
	}
	all := blocks(string(text))
	changed := slices.IndexFunc(all, func(b block) bool { return b.language == "toml" })
	if changed < 0 {
		t.Fatal("the page shows no configuration")
	}
	kept := fmt.Sprintf("[[runners]]\n  name = \"pipglr\"\n  url = %q\n  token = %q\n", m.gitlab.URL(), token)
	config := "concurrent = 1\n" + strings.Replace(strings.Join(all[changed].text, "\n"), "[[runners]]\n", kept, 1) + "\n"
	if err := os.WriteFile(filepath.Join(m.dir, "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{"setupconfig", "setupstorage", "setupcache", "run"} {
		m.do("podman container runlabel " + label + " $IMAGE")
	}
	succeeded(t, m.run(gitlab.NewJob("hello", "echo hello")))
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
	m.dir = "." // where test/scripts/staged has put the repository's files
	out := m.do("podman build -t " + image + " --network host --pull=never --build-arg GO_IMAGE=localhost/podman-executor/go:latest" +
		" --volume $(go env GOROOT):/usr/local/go:ro --volume $(ls /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt 2>/dev/null | head -n 1):/usr/local/share/host-certificates.crt:ro" +
		" --build-context runner=bin .")
	if !strings.Contains(out, "Successfully tagged "+image) {
		t.Errorf("podman build says\n%s", tail(out, 2000))
	}
}
