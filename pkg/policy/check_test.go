package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// badValues are values that a key cannot have, and what is wrong with them.
var badValues = []struct{ key, value, what string }{
	{"general.run_mechanism", `"docker"`, `unknown value "docker": want podman`},
	{"general.run_mechanism", `""`, `unknown value "": want podman`},
	{"general.run_mechanism", `"Podman"`, `unknown value "Podman": want podman`},
	{"general.log_level", `"trace"`, `unknown value "trace": want error, warning, info, debug`},
	{"general.log_format", `"xml"`, `unknown value "xml": want text, json`},
	{"general.data_dir", `"var/lib"`, `want an absolute path, got "var/lib"`},
	{"general.data_dir", `"/"`, `want a clean path below /, got "/"`},
	{"general.data_dir", `"/var/lib/"`, `want a clean path below /, got "/var/lib/"`},
	{"general.data_dir", `"/var/../etc"`, `want a clean path below /, got "/var/../etc"`},
	{"general.data_dir", `"/var:ro"`, `podman cannot mount a path with a colon: "/var:ro"`},
	{"general.data_dir", `"/var\n"`, `want a path without control characters, got "/var\n"`},
	{"general.log_file", `"log"`, `want an absolute path, got "log"`},
	{"general.min_free_space", `"much"`, `want a size such as 512m or 2g, got "much"`},
	{"general.min_free_space", `-1`, `want a size such as 512m, got -1`},
	{"general.podman.application_path", `"podman"`, `want an absolute path, got "podman"`},
	{"general.podman.application_path", `"./podman"`, `want an absolute path, got "./podman"`},
	{"general.podman.application_path", `"/usr//bin/podman"`, `want a clean path below /, got "/usr//bin/podman"`},
	{"general.podman.runner_binary", `"gitlab-runner"`, `want an absolute path, got "gitlab-runner"`},
	{"general.podman.runner_binary", `"/opt/a:b"`, `podman cannot mount a path with a colon: "/opt/a:b"`},
	{"general.podman.runner_image", `""`, `missing: the image for gitlab-runner's own steps; it must contain bash and git`},
	{"general.podman.runner_image", `"a b"`, `the image name "a b" contains an invalid character`},
	{"general.podman.runner_image", `"docker://debian"`, `the image name "docker://debian" has a transport: write it without "docker://"`},
	{"general.podman.default_image", `"Debian"`, `invalid image name "Debian": the path must be lower case`},
	{"general.podman.runner_options", `["--a", ""]`, `entry 2: want a non-empty string without NUL bytes`},
	{"general.podman.custom_options", `["a\u0000b"]`, `entry 1: want a non-empty string without NUL bytes`},
	{"general.podman.runner_entry_point", `[""]`, `entry 1: want a non-empty string without NUL bytes`},
	{"general.podman.user_entry_point", `["a", 1]`, `entry 2: want a string, got the number 1`},
	{"general.podman.image_pull_policy", `"sometimes"`, `unknown pull policy "sometimes": want always, missing, never, newer or if-not-present`},
	{"general.podman.image_pull_policy", `""`, `unknown pull policy "": want always, missing, never, newer or if-not-present`},
	{"general.podman.image_pull_policy", `"Always"`, `unknown pull policy "Always": want always, missing, never, newer or if-not-present`},
	{"general.podman.image_pull_policy", `"ifnotpresent"`, `unknown pull policy "ifnotpresent": want always, missing, never, newer or if-not-present`},
	{"general.podman.image_allow_list", `["a", "("]`, "entry 2: invalid regular expression: missing closing ): `(`"},
	{"general.podman.image_allow_list", `["a)|(b"]`, "entry 1: invalid regular expression: unexpected ): `a)|(b`"},
	{"general.podman.image_allow_list", `["a(?=b)"]`, "entry 1: invalid regular expression: invalid or unsupported Perl syntax: `(?=`"},
	{"general.podman.volume_allow_list", `["*"]`, "entry 1: invalid regular expression: missing argument to repetition operator: `*`"},
	{"general.podman.volume_allow_list", `[true]`, `entry 1: want a string, got true`},
	{"general.podman.user_volume_variable", `"USER VOLUMES"`, `want the name of a variable, got "USER VOLUMES"`},
	{"general.podman.user_volume_variable", `"1A"`, `want the name of a variable, got "1A"`},
	{"general.podman.user_volume_variable", `"Ä"`, `want the name of a variable, got "Ä"`},
	{"general.podman.network_mtu", `67`, `want a number from 68 to 65535, got 67`},
	{"general.podman.network_mtu", `65536`, `want a number from 68 to 65535, got 65536`},
	{"general.podman.service_url", `"tcp://user:secret@host"`, `want unix:///… or ssh://…`},
	{"general.podman.service_url", `"unix://run/podman.sock"`, `want unix:///… or ssh://…`},
	{"general.podman.service_urls", `["unix:///a"]`, `want either service_url or service_urls, not both`},
	{"general.podman.identity", `"/k"`, `only used with ssh://, and neither service_url nor service_urls has an ssh:// address`},
	{"general.podman.known_hosts", `"/k"`, `only used with ssh://, and neither service_url nor service_urls has an ssh:// address`},
	{"general.podman.environment", `["A=1", "secret"]`, `entry 2: want NAME=value`},
	{"general.podman.environment", `["=secret"]`, `entry 1: want NAME=value`},
	{"general.podman.environment", `["A B=secret"]`, `entry 1: want NAME=value`},
	{"general.podman.environment", `["A=sec\u0000ret"]`, `entry 1: the value of A contains a NUL byte`},
	{"general.podman.timeouts.pull", `0`, `want a number of seconds from 1 to 604800, got 0`},
	{"general.podman.timeouts.pull", `"1h"`, `want a whole number, got a string`},
	{"general.podman.timeouts.command", `-1`, `want a number of seconds from 1 to 604800, got -1`},
	{"general.podman.timeouts.command", `604801`, `want a number of seconds from 1 to 604800, got 604801`},
	{"general.podman.environment", `"A=secret"`, `want a list of strings, got a string`},
}

func TestBadValues(t *testing.T) {
	for _, test := range badValues {
		wantBadValue(t, test.key, test.value, test.what)
	}
}

func TestBadMountOptions(t *testing.T) {
	const key = "general.podman.volumes.allowed_options"
	for _, value := range []string{"U", "O", "idmap", "upperdir=/etc", "z,U", "suid", "dev", "ro", "rw", "a:b", "a b", ""} {
		wantBadValue(t, key, fmt.Sprintf(`["z", %q]`, value), fmt.Sprintf("entry 2: the mount option %q cannot be allowed", value))
	}
}

// wantBadValue checks what is said of that value in the policy of every key.
func wantBadValue(t *testing.T, key, value string, what ...string) {
	t.Helper()
	text, lines := write(with(key, value))
	var want []string
	for _, w := range what {
		line := lines[key]
		if strings.HasPrefix(w, "missing: ") {
			line = lines[pod]
		}
		want = append(want, fmt.Sprintf("p.toml:%d: %s: %s", line, key, w))
	}
	wantProblems(t, text, want...)
}

// with returns the policy of every key with another value for one.
func with(key, value string) []entry {
	entries := slices.Clone(every)
	i := slices.IndexFunc(entries, func(e entry) bool { return e.name() == key })
	entries[i].value = value
	return entries
}

func TestGoodValues(t *testing.T) {
	tests := []struct{ key, value string }{
		{"general.data_dir", `""`},
		{"general.data_dir", `"/var,x"`},
		{"general.log_file", `""`},
		{"general.podman.application_path", `""`},
		{"general.log_level", `"error"`},
		{"general.log_level", `"warning"`},
		{"general.log_level", `"info"`},
		{"general.log_format", `"text"`},
		{"general.podman.image_pull_policy", `"always"`},
		{"general.podman.image_pull_policy", `"missing"`},
		{"general.podman.image_pull_policy", `"never"`},
		{"general.podman.image_pull_policy", `"if-not-present"`},
		{"general.podman.default_image", `""`},
		{"general.podman.runner_binary", `""`},
		{"general.podman.runner_binary", `"none"`},
		{"general.podman.runner_binary", `"/opt/gitlab-runner-linux-amd64"`},
		{"general.podman.image_allow_list", `[]`},
		{"general.podman.volume_allow_list", `[]`},
		{"general.podman.user_volume_variable", `""`},
		{"general.podman.user_volume_variable", `"_a9"`},
		{"general.podman.service_url", `""`},
		{"general.podman.environment", `["EMPTY=", "A=b=c"]`},
		{"general.podman.volumes.allowed_options", `["z", "Z", "nosuid", "nodev", "noexec"]`},
	}
	for _, test := range tests {
		text, _ := write(with(test.key, test.value))
		wantProblems(t, text)
	}
}

func TestStepScriptOnly(t *testing.T) {
	const head = "[general]\nrun_mechanism = \"podman\"\n"
	wantProblems(t, head+"data_dir = \"/d\"\n[general.podman]\nstep_script_only = true\n")
	wantProblems(t, head+"data_dir = \"/d\"\n[general.podman]\nstep_script_only = true\nrunner_binary = \"/opt/runner\"\n",
		`p.toml:6: general.podman.runner_binary: with step_script_only the file must be called gitlab-runner, got "/opt/runner"`)
	wantProblems(t, head+"[general.podman]\nstep_script_only = true\n",
		"p.toml:1: general.data_dir: missing: step_script_only needs a host directory for builds and cache")
	wantProblems(t, head+"data_dir = 1\n[general.podman]\nstep_script_only = true\n",
		"p.toml:3: general.data_dir: want a string, got the number 1")
	wantProblems(t, head+"data_dir = \"/d\"\n[general.podman]\nstep_script_only = true\nshort_project_dir = true\n",
		"p.toml:6: general.podman.short_project_dir: with step_script_only the path is that of the host's directory, in which each job at a time needs its own")
}
