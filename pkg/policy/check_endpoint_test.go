package policy

import (
	"fmt"
	"testing"
)

// remotePolicy is a policy with a remote endpoint and further lines of [general] and
// [general.podman]; it ends in line 8.
func remotePolicy(general, podman string) string {
	return "[general]\nrun_mechanism = \"podman\"\n" + general + "[general.podman]\nrunner_image = \"r.example.org/r:1\"\n" +
		"service_url = \"ssh://ci@node1.example.org:2222/run/user/1001/podman/podman.sock\"\nidentity = \"/etc/pe/id\"\nknown_hosts = \"/etc/pe/known_hosts\"\n" + podman
}

func TestRemoteEndpoint(t *testing.T) {
	p := parse(t, remotePolicy("", "runner_binary = \"none\"\nregistry_auth_file = \"/etc/pe/auth.json\"\nvolume_allow_list = [\"/data\"]\n[general.podman.container]\nvolumes = [\"shared:/shared\", \"/own\"]\n"))
	if got := p.General.Podman.Endpoints(); len(got) != 1 || !IsRemote(got[0]) || !p.General.Podman.UsesEndpoint() {
		t.Errorf("got %q", got)
	}
	for key, why := range map[string]string{
		"data_dir = \"/d\"":       "general.data_dir: podman is on another machine (ssh:// in service_url, line 6): builds and cache are volumes on that machine, which does not have this one's directories",
		"min_free_space = \"1g\"": "general.min_free_space: podman is on another machine (ssh:// in service_url, line 6): the free space there cannot be checked",
	} {
		wantProblems(t, remotePolicy(key+"\n", ""), "p.toml:3: "+why)
	}
	for key, why := range map[string]string{
		"runner_binary = \"/opt/gitlab-runner\"":                    "8: general.podman.runner_binary: podman is on another machine (ssh:// in service_url, line 5): it does not have this one's programs: put gitlab-runner into runner_image",
		"user_volume_variable = \"V\"":                              "8: general.podman.user_volume_variable: podman is on another machine (ssh:// in service_url, line 5): paths there cannot be checked from here",
		"[general.podman.container]\nvolumes = [\"/a:/a\"]":         "9: general.podman.container.volumes: podman is on another machine (ssh:// in service_url, line 5): it does not have this one's paths: use a podman volume, or a destination alone",
		"[general.podman.service_container]\nvolumes = [\"/a:/a\"]": "9: general.podman.service_container.volumes: podman is on another machine (ssh:// in service_url, line 5): it does not have this one's paths: use a podman volume, or a destination alone",
	} {
		wantProblems(t, remotePolicy("", key+"\n"), "p.toml:"+why)
	}
	wantProblems(t, remotePolicy("data_dir = \"/d\"\n", "step_script_only = true\n"),
		"p.toml:3: general.data_dir: podman is on another machine (ssh:// in service_url, line 6): builds and cache are volumes on that machine, which does not have this one's directories",
		"p.toml:9: general.podman.step_script_only: podman is on another machine (ssh:// in service_url, line 6): it does not have the files that steps on this host create")
}

func TestSSHEndpoints(t *testing.T) {
	const keys = "identity = \"/etc/pe/id\"\nknown_hosts = \"/etc/pe/known_hosts\"\n"
	for _, good := range []string{"ssh://u@h/p", "ssh://h/p", "ssh://ci_1.x@10.0.0.1:22/run/podman.sock", "ssh://u@[fe80::1]:65535/p", "ssh://u@node-1.example.org/run/user/1001/podman/podman.sock"} {
		wantProblems(t, smallPolicy(fmt.Sprintf("service_urls = [%q]\n", good)+keys))
	}
	const shape = "want ssh://USER@HOST[:PORT]/PATH, of letters, digits and . _ - (in PATH also @ + , =)"
	const socket = "want the path of podman's socket after the host: `podman info --format '{{.Host.RemoteSocket.Path}}'` on that host prints it"
	for bad, why := range map[string]string{
		"ssh://u:secret@h/p": "an address must not contain a password: set identity to a private key",
		"ssh://u@h":          socket, "ssh://u@h/": socket, "ssh://u@h:22": socket, "ssh:///p": shape,
		"ssh://-oProxyCommand=x@h/p": shape, "ssh://u@-oProxyCommand=x/p": shape, "ssh://u@h/p:q": shape, "ssh://u@h/%h": shape, "ssh://u@h/${HOME}": shape,
		"ssh://u@h:0/p": shape, "ssh://u@h:65536/p": shape, "ssh://u@h:/p": shape, "ssh://u@h/p?x": shape, "ssh://u@h/p#x": shape, "ssh://u@h/a b": shape, "ssh://u@h/a\nb": shape,
	} {
		wantProblems(t, smallPolicy(fmt.Sprintf("service_url = %q\n", bad)+keys), "p.toml:5: general.podman.service_url: "+why)
	}
	wantProblems(t, smallPolicy("service_urls = [\"unix:///a\", \"\", \"unix:///a\", \"http://h\"]\n"),
		"p.toml:5: general.podman.service_urls: entry 2: empty or duplicate: want unix:///… or ssh://…",
		"p.toml:5: general.podman.service_urls: entry 3: empty or duplicate: want unix:///… or ssh://…")
	wantProblems(t, smallPolicy("service_urls = [\"unix:///a\", \"http://h\"]\n"),
		"p.toml:5: general.podman.service_urls: want unix:///… or ssh://…")
}

func TestFilesOfSSH(t *testing.T) {
	const url = "service_urls = [\"unix:///a\", \"ssh://u@h/p\"]\n"
	wantProblems(t, smallPolicy(url),
		"p.toml:3: general.podman.identity: missing: the file with the private key for ssh://",
		"p.toml:3: general.podman.known_hosts: missing: the file with the host keys for ssh://")
	wantProblems(t, smallPolicy(url+"identity = \"id\"\nknown_hosts = \"/etc/a b\"\n"),
		"p.toml:6: general.podman.identity: want an absolute path, got \"id\"",
		"p.toml:7: general.podman.known_hosts: ssh cannot use a path with blanks, quotes or any of \\ % $")
}
