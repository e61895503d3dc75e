package spec

import (
	"slices"
	"testing"

	"podman-executor/internal/containersconf"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// Steps on the host find the runner that called, by its own path: without a
// `gitlab-runner` artifacts and caches silently do nothing. Another program gets no further
// directory.
func TestHostEnv(t *testing.T) {
	env := []string{"HOME=/h", "PATH=/usr/bin"}
	for runner, path := range map[string]string{"/opt/r/gitlab-runner": "/opt/r:/usr/bin", "/opt/r/gitlab-runner-helper": "/usr/bin", "none": "/usr/bin", "": "/usr/bin"} {
		if got, want := hostEnv(env, runner), []string{"HOME=/h", "PATH=" + path}; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", runner, got, want)
		}
	}
	if env[1] != "PATH=/usr/bin" {
		t.Errorf("podman's own environment has changed: %q", env)
	}
}

// With step_script_only a job's user is gitlab-runner's own on the host.
func TestKeepID(t *testing.T) {
	for user, want := range map[string]string{
		"": "", "root": "", "0": "", "00": "", "0:1000": "", "root:staff": "",
		"1000": "keep-id:uid=1000", "1000:100": "keep-id:uid=1000,gid=100", "1000:staff": "keep-id:uid=1000",
	} {
		if got, ok := keepID(user); got != want || !ok {
			t.Errorf("%q: got %q, %v, want %q", user, got, ok, want)
		}
	}
	for _, user := range []string{"node", "node:1000", "1000,size=9", "10 00"} {
		if got, ok := keepID(user); got != "" || ok {
			t.Errorf("%q: got %q, %v", user, got, ok)
		}
	}
}

// Who is another on the host than the runner's user, or may be.
func TestHostOpen(t *testing.T) {
	for _, tt := range []struct {
		name, user, mode, granted string
		entry                     policy.EntryPoint
		options                   []string
		conf                      containersconf.Defaults
		want                      bool
	}{
		{name: "root"},
		{name: "root by his number", user: "0:0"},
		{name: "a number that is mapped", user: "1000:5", mode: "keep-id:uid=1000,gid=5"},
		{name: "a number that is not, as with a service", user: "1000", want: true},
		{name: "a name", user: "daemon", want: true},
		{name: "a mapping of the policy's", granted: "auto", mode: "auto", want: true},
		{name: "an option of the policy's", options: []string{"--user=daemon"}, want: true},
		{name: "a shell before the script", entry: policy.EntryPoint{Words: []string{"/bin/bash", "-l"}}},
		{name: "a program before the script", entry: policy.EntryPoint{Words: []string{"gosu", "app"}}, want: true},
		{name: "a program before the shell", entry: policy.EntryPoint{Words: []string{"entry.sh"}, Shell: true}, want: true},
		{name: "root, with a user namespace of containers.conf", conf: containersconf.Defaults{UserNS: "auto"}, want: true},
		{name: "root, with the usual one in containers.conf", conf: containersconf.Defaults{UserNS: "host"}},
		{name: "a number that is mapped, whatever containers.conf has", user: "5", mode: "keep-id:uid=5", conf: containersconf.Defaults{UserNS: "auto"}},
		{name: "another option", options: []string{"--pids-limit=5"}},
	} {
		f := Facts{Policy: &policy.Policy{}, Defaults: tt.conf, Grant: policy.Grant{User: tt.user, UserEntry: tt.entry}}
		f.Policy.General.Podman.StepScriptOnly = true
		f.Grant.Container.UsernsMode = tt.granted
		c := podman.Create{Options: tt.options, Isolation: podman.Isolation{UserNS: tt.mode}}
		if got := HostOpen(f, c, podman.Image{}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		f.Policy.General.Podman.StepScriptOnly = false
		if HostOpen(f, c, podman.Image{}) {
			t.Errorf("%s, without steps on the host", tt.name)
		}
	}
}
