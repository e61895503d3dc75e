package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestServiceTables(t *testing.T) {
	want := []AddedService{
		{
			Name: "postgres:16", Aliases: []string{"db", "db.example.org"}, Entrypoint: []string{"docker-entrypoint.sh", ""},
			Command: []string{"postgres", "-c", "fsync=off"}, Environment: []string{"POSTGRES_PASSWORD=a=b", "EMPTY="},
		},
		{Name: "r.example.org/mirror", Aliases: []string{"mirror"}},
	}
	p := policyWith(t, serviceTables)
	// The library knows where the last of the tables begins.
	if diff := cmp.Diff(want, p.General.Podman.Services); diff != "" || p.Line("general.podman.services") != 11 {
		t.Errorf("line %d (-want +got):\n%s", p.Line("general.podman.services"), diff)
	}
}

func TestServiceTablesWrong(t *testing.T) {
	const form = "want [registry/]path[:tag] or [registry/]path@digest"
	const named = "alias = [\"a\"]\n"
	const noHost = "is invalid or reserved"
	tests := []struct {
		lines string
		want  []string
	}{
		{"", []string{"name: missing: the image of the service"}},
		{named, []string{"name: missing: the image of the service"}},
		{named + "name = \"\"\n", []string{`name: invalid image name "": ` + form}},
		{named + "name = \"docker://x\"\n", []string{`name: the image name "docker://x" has a transport: write it without "docker://"`}},
		{named + "name = 7\n", []string{"name: want a string, got the number 7"}},
		{named + "name = [\"x\"]\n", []string{"name: want a string, got a list"}},
		{"name = \"x\"\n", nil},
		{"name = \"x\"\nalias = []\n", nil},
		{"name = \"x\"\nalias = \"a\"\n", []string{"alias: want a list of strings, got a string"}},
		{"name = \"x\"\nalias = [\"a\", 1]\n", []string{"alias: entry 2: want a string, got the number 1"}},
		{"name = \"x\"\nalias = [\"a b\", \"localhost\"]\n", []string{`alias: entry 1: "a b" ` + noHost, `alias: entry 2: "localhost" ` + noHost}},
		{"name = \"x\"\nalias = [\"" + strings.Repeat("x", 300) + "\"]\n", []string{`alias: entry 1: "` + strings.Repeat("x", 40) + `…" ` + noHost}},
		{"name = \"x\"\n" + named + "entrypoint = \"sh\"\n", []string{"entrypoint: want a list of strings, got a string"}},
		{"name = \"x\"\n" + named + "entrypoint = [\"a\\u0000b\"]\n", []string{"entrypoint: entry 1: contains a NUL byte"}},
		{"name = \"x\"\n" + named + "command = [\"sh\", true]\n", []string{"command: entry 2: want a string, got true"}},
		{"name = \"x\"\n" + named + "command = [\"\", \"\\u0000\"]\n", []string{"command: entry 2: contains a NUL byte"}},
		{"name = \"x\"\n" + named + "environment = {A = \"secret\"}\n", []string{"environment: want a list of strings, got a table"}},
		{"name = \"x\"\n" + named + "environment = [\"A=secret\", \"secret\", \"1A=secret\", \"=secret\", \"B=secret\\u0000\"]\n", []string{
			"environment: entry 2: want NAME=value", "environment: entry 3: want NAME=value",
			"environment: entry 4: want NAME=value", "environment: entry 5: the value of B contains a NUL byte",
		}},
		{"name = \"x\"\n" + named + "aliases = [\"b\"]\n", []string{"aliases: unknown key"}},
		{"name = \"x\"\n" + named + "privileged = true\n", []string{"privileged: unknown key"}},
		{"name = \"x\"\nalias = [\"a\", \"A\"]\n", []string{`alias: "A" is already an alias of service 1`}},
	}
	const head = "[general]\nrun_mechanism = \"podman\"\n[general.podman]\nrunner_image = \"r\"\n"
	for _, test := range tests {
		var want []string
		for _, w := range test.want {
			want = append(want, "p.toml:5: general.podman.services: service 1: "+w)
		}
		got := problems(t, head+"[[general.podman.services]]\n"+test.lines)
		if diff := cmp.Diff(want, got, cmp.Transformer("sorted", setOf)); diff != "" {
			t.Errorf("of\n%s(-want +got):\n%s", test.lines, diff)
		}
	}
	wantProblems(t, head+serviceTables+"[[general.podman.services]]\nname = \"X\"\nalias = [\"DB\"]\n",
		`p.toml:14: general.podman.services: service 3: name: invalid image name "X": the path must be lower case`,
		`p.toml:14: general.podman.services: service 3: alias: "DB" is already an alias of service 1`)
	for value, is := range map[string]string{`"x"`: "a string", `7`: "the number 7", `[]`: "a list", `["x"]`: "a list", `[{name = "x", alias = ["a"]}]`: "a list", `{name = "x"}`: "a table"} {
		wantProblems(t, head+"services = "+value+"\n", "p.toml:5: general.podman.services: want tables [[general.podman.services]], got "+is)
	}
	wantProblems(t, head+"[general.podman.services]\nname = \"x\"\n", "p.toml:5: general.podman.services: want tables [[general.podman.services]], got a table")
}

// setOf makes the order of a list of strings not count.
func setOf(list []string) map[string]int {
	set := map[string]int{}
	for _, s := range list {
		set[s]++
	}
	return set
}

func TestIntegers(t *testing.T) {
	for _, key := range []string{"general.podman.services_limit", "general.podman.wait_for_services_timeout"} {
		for _, value := range []string{"0", "-1", "2147483647", "-2147483648", "1_000"} {
			text, _ := write(with(key, value))
			wantProblems(t, text)
		}
		for value, is := range map[string]string{
			"1.0": "the number 1", "2147483648": "the number 2147483648", "-2147483649": "the number -2147483649", "9223372036854775807": "the number 9223372036854775807",
		} {
			wantBadValue(t, key, value, "want a whole number, got "+is)
		}
	}
	pm := policyWith(t, "services_limit = 0\n").General.Podman
	if want := (Integer{Set: true}); pm.ServicesLimit != want || pm.WaitForServicesTimeout != (Integer{}) {
		t.Errorf("%+v, %+v", pm.ServicesLimit, pm.WaitForServicesTimeout)
	}
}
