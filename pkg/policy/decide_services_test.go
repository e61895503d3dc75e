package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/containers/common/pkg/config"
	"github.com/google/go-cmp/cmp"
)

// serviceTables are two services of the policy, the first with every key.
const serviceTables = `[[general.podman.services]]
name = "postgres:16"
alias = ["db", "db.example.org"]
entrypoint = ["docker-entrypoint.sh", ""]
command = ["postgres", "-c", "fsync=off"]
environment = ["POSTGRES_PASSWORD=a=b", "EMPTY="]
[[general.podman.services]]
name = "r.example.org/mirror"
alias = ["mirror"]
`

// asked is a job with these services beside an image that no list has a say in.
func asked(services ...ServiceRequest) Request {
	return Request{Services: services, ReservedAliases: []string{"gitlab.example.org"}}
}

// servicePolicy is policyWith, for jobs without an image of their own.
func servicePolicy(t testing.TB, more string) *Policy {
	t.Helper()
	return policyWith(t, "default_image = \"d\"\n"+more)
}

func TestServicesDecided(t *testing.T) {
	g := grant(t, servicePolicy(t, "image_pull_policy = \"newer\"\n"+serviceTables), asked(
		ServiceRequest{
			Image: "Redis.example.org/redis", Aliases: []string{"cache"}, DefaultAliases: []string{"Redis.example.org__redis", "Redis.example.org-redis"},
			Entrypoint: []string{"/e", ""}, Command: []string{"", "--flag"}, PullPolicies: []string{"newer"}, User: "999:redis", Platform: "linux/arm64/v8",
		},
		ServiceRequest{Image: "x", DefaultAliases: []string{"x"}},
	))
	image := func(name string) Image { return Image{name: name} }
	want := []ServiceGrant{
		{
			Image: image("docker.io/library/postgres:16"), Pull: PullPolicies{config.PullPolicyNewer}, Added: true, Aliases: []string{"db", "db.example.org", "postgres"},
			Entrypoint: []string{"docker-entrypoint.sh", ""}, Command: []string{"postgres", "-c", "fsync=off"},
			Environment: []string{"POSTGRES_PASSWORD=a=b", "EMPTY="},
		},
		{Image: image("r.example.org/mirror:latest"), Pull: PullPolicies{config.PullPolicyNewer}, Added: true, Index: 1, Aliases: []string{"mirror"}},
		{
			Image: image("redis.example.org/redis:latest"), Pull: PullPolicies{config.PullPolicyNewer}, Aliases: []string{"cache", "Redis.example.org__redis", "Redis.example.org-redis"},
			Entrypoint: []string{"/e", ""}, Command: []string{"", "--flag"}, User: "999:redis",
			Platform: Platform{OS: "linux", Arch: "arm64", Variant: "v8"},
		},
		{Image: image("docker.io/library/x:latest"), Pull: PullPolicies{config.PullPolicyNewer}, Index: 1, Aliases: []string{"x"}},
	}
	if diff := cmp.Diff(want, g.Services, cmp.AllowUnexported(Image{})); diff != "" || len(g.Notices) > 0 {
		t.Errorf("notices %q (-want +got):\n%s", g.Notices, diff)
	}
	if g := grant(t, servicePolicy(t, ""), asked()); len(g.Services)+len(g.Notices) > 0 {
		t.Errorf("a job without services: %+v", g)
	}
}

// The list of services is theirs alone; without it they are held to the images'.
func TestServiceAllowList(t *testing.T) {
	const images = "image_allow_list = ['docker\\.io/library/d:.*', 'docker\\.io/library/redis:.*']\n"
	const services = "service_allow_list = ['r\\.example\\.org/.*']\n"
	const byImages = "policy denies service %q: no entry of image_allow_list matches\np.toml:6: general.podman.image_allow_list lists what is allowed; ask the administrator of this runner for more"
	const byServices = "policy denies service %q: no entry of service_allow_list matches\np.toml:%d: general.podman.service_allow_list lists what is allowed; ask the administrator of this runner for more"
	tests := []struct{ policy, image, want string }{
		{"", "redis", ""},
		{images, "redis:7", ""},
		{images, "r.example.org/x", fmt.Sprintf(byImages, "r.example.org/x:latest")},
		{images + "service_allow_list = []\n", "r.example.org/x", fmt.Sprintf(byImages, "r.example.org/x:latest")},
		{services, "r.example.org/x", ""},
		{services, "redis", fmt.Sprintf(byServices, "docker.io/library/redis:latest", 6)},
		{services, "evil.io/r.example.org/x", fmt.Sprintf(byServices, "evil.io/r.example.org/x:latest", 6)},
		{images + services, "r.example.org/x", ""},
		{images + services, "redis", fmt.Sprintf(byServices, "docker.io/library/redis:latest", 7)},
		{images + "service_allow_list = ['.*']\n", "evil.io/x", ""},
	}
	for _, test := range tests {
		p, r := servicePolicy(t, test.policy), asked(ServiceRequest{Image: test.image, Aliases: []string{"a"}})
		if test.want == "" {
			if g := grant(t, p, r); len(g.Services) != 1 {
				t.Errorf("%q under %q: %+v", test.image, test.policy, g)
			}
			continue
		}
		if message, hint := deny(t, p, r); message+"\n"+hint != test.want {
			t.Errorf("%q under %q:\n got %s\n     %s\nwant %s", test.image, test.policy, message, hint, test.want)
		}
	}
	// The list of services has no say in the job's image, nor in the policy's services.
	p := servicePolicy(t, services+serviceTables)
	if g := grant(t, p, Request{Image: "redis"}); len(g.Services) != 2 {
		t.Errorf("%+v", g)
	}
}

func TestServicesLimit(t *testing.T) {
	const added = "[[general.podman.services]]\nname = \"x\"\nalias = [\"added\"]\n"
	tests := []struct {
		policy  string
		count   int
		message string
	}{
		{"", 16, ""},
		{"", 17, "services_limit allows 16 services, and the job would have 17"},
		{added, 15, ""},
		{added, 16, "services_limit allows 16 services, and the job would have 17"},
		{"services_limit = 50\n", 50, ""},
		{"services_limit = -1\n", 50, ""},
		{"services_limit = 2\n", 2, ""},
		{"services_limit = 2\n", 3, "services_limit allows 2 services, and the job would have 3"},
		{"services_limit = 0\n", 0, ""},
		{"services_limit = 0\n", 1, "services_limit allows 0 services, and the job would have 1"},
		{"services_limit = 2\n" + added, 1, ""},
		{"services_limit = 2\n" + added, 2, "services_limit allows 2 services, and the job would have 3"},
		{"services_limit = -1\n" + added, 2, ""},
	}
	for _, test := range tests {
		var services []ServiceRequest
		for i := range test.count {
			services = append(services, ServiceRequest{Image: "x", Aliases: []string{fmt.Sprintf("a%d", i)}})
		}
		p := servicePolicy(t, test.policy)
		if test.message == "" {
			grant(t, p, asked(services...))
			continue
		}
		hint := "use fewer `services:` in .gitlab-ci.yml (p.toml:6: general.podman.services_limit)"
		if !strings.Contains(test.policy, "services_limit") {
			hint = "use fewer `services:` in .gitlab-ci.yml (p.toml: general.podman.services_limit)"
		}
		if message, said := deny(t, p, asked(services...)); message != "policy denies the job's services: "+test.message || said != hint {
			t.Errorf("%d services under %q:\n got %s\n     %s", test.count, test.policy, message, said)
		}
	}
}

// A policy whose own services are too many would refuse every job.
func TestServicesLimitOfThePolicy(t *testing.T) {
	const head = "[general]\nrun_mechanism = \"podman\"\n[general.podman]\nrunner_image = \"r\"\n"
	added := strings.Repeat("[[general.podman.services]]\nname = \"x\"\n", 17)
	const want = "p.toml:%d: general.podman.services: 17 services are more than services_limit allows (%d): raise it, or set it to -1"
	wantProblems(t, head+added, fmt.Sprintf(want, 37, 16))
	wantProblems(t, head+"services_limit = 1\n"+added, fmt.Sprintf(want, 38, 1))
	wantProblems(t, head+"services_limit = 17\n"+added)
	wantProblems(t, head+"services_limit = -1\n"+added)
}

func TestServiceAliases(t *testing.T) {
	for _, alias := range []string{"db", "DB", "a", "7", "a-b", "a_b", "a__b", "db.example.org", "gitlab.example.org.evil.io", "localhost.example", strings.Repeat("x", 253)} {
		g := grant(t, servicePolicy(t, ""), asked(ServiceRequest{Image: "x", Aliases: []string{alias}}))
		if len(g.Services) != 1 || len(g.Notices) > 0 || !cmp.Equal(g.Services[0].Aliases, []string{alias}) {
			t.Errorf("%q: %+v", alias, g)
		}
	}
	bad := []string{
		"", "-", "--privileged", "-a", "a-", "_a", "a_", ".a", "a.", "a b", "a,b", "a\n", "\na", "a=b", "a:1", "a/b", "ä", "a\x00", "$HOME", strings.Repeat("x", 254), strings.Repeat("x", 99999),
		"localhost", "LocalHost", "host.containers.internal", "host.docker.internal", "gitlab.example.org", "GitLab.Example.org",
	}
	for _, alias := range bad {
		shown := alias
		if len(shown) > 80 {
			shown = shown[:80] + "…"
		}
		want := fmt.Sprintf("policy denies service \"docker.io/library/x:latest\": the alias %q is invalid or reserved", shown)
		message, hint := deny(t, servicePolicy(t, ""), asked(ServiceRequest{Image: "x", DefaultAliases: []string{"x"}, Aliases: []string{"good", alias}}))
		if message != want || hint != "choose another `alias:` of letters, digits and hyphens" {
			t.Errorf("%.90q:\n got %s\n     %s\nwant %s", alias, message, hint, want)
		}
	}
}

// If two services have the same alias, the first gets it. A notice tells the job's author if
// the alias was the author's own. A service without any does not start.
func TestServiceAliasesTaken(t *testing.T) {
	const added = "[[general.podman.services]]\nname = \"x\"\nalias = [\"db\"]\n"
	const unnamed = "[[general.podman.services]]\nname = %q\n"
	pg := func(aliases ...string) ServiceRequest {
		return ServiceRequest{Image: "postgres", DefaultAliases: []string{"postgres"}, Aliases: aliases}
	}
	taken := func(alias string) string {
		return fmt.Sprintf("skipping the alias %q of the service docker.io/library/postgres:latest: another service already has it", alias)
	}
	notStarted := func(image string) string {
		return fmt.Sprintf("the service %s is not started: it has no unique alias; set one with `alias:`", image)
	}
	// The aliases that come from an image's name may also be reserved.
	odd := func(image string, defaults ...string) ServiceRequest {
		return ServiceRequest{Image: image, DefaultAliases: defaults}
	}
	tests := []struct {
		policy  string
		asked   []ServiceRequest
		aliases string
		notices []string
	}{
		{"", []ServiceRequest{pg("a"), pg("b")}, "[[a postgres] [b]]", nil},
		{"", []ServiceRequest{pg(), pg()}, "[[postgres]]", []string{notStarted("docker.io/library/postgres:latest")}},
		{"", []ServiceRequest{pg("db"), pg("DB", "two")}, "[[db postgres] [two]]", []string{taken("DB")}},
		{"", []ServiceRequest{pg("db"), pg("db")}, "[[db postgres]]", []string{taken("db"), notStarted("docker.io/library/postgres:latest")}},
		{"", []ServiceRequest{pg("a", "a", "A", "postgres")}, "[[a postgres]]", nil},
		{added, []ServiceRequest{pg("db")}, "[[db x] [postgres]]", []string{taken("db")}},
		{fmt.Sprintf(unnamed, "r.example.org:5000/group/pg:1@sha256:"+strings.Repeat("0", 64)), nil, "[[pg]]", nil},
		{fmt.Sprintf(unnamed+unnamed, "a/pg:1", "b/pg"), nil, "[[pg]]", []string{notStarted("docker.io/b/pg:latest")}},
		{fmt.Sprintf(unnamed, "r.example.org/localhost"), nil, "[]", []string{notStarted("r.example.org/localhost:latest")}},
		{"", []ServiceRequest{odd("localhost", "localhost"), pg()}, "[[postgres]]", []string{notStarted("docker.io/library/localhost:latest")}},
		{"", []ServiceRequest{odd("gitlab.example.org", "gitlab.example.org")}, "[]", []string{notStarted("docker.io/library/gitlab.example.org:latest")}},
		{"", []ServiceRequest{odd("gitlab.example.org:1/x", "gitlab.example.org__x", "gitlab.example.org-x")}, "[[gitlab.example.org__x gitlab.example.org-x]]", nil},
		{"", []ServiceRequest{odd("[fd00::1]:5000/app", "[fd00__app", "fd00-app")}, "[[fd00-app]]", nil},
	}
	for _, test := range tests {
		g := grant(t, servicePolicy(t, test.policy), asked(test.asked...))
		aliases := [][]string{}
		for _, s := range g.Services {
			aliases = append(aliases, s.Aliases)
		}
		if diff := cmp.Diff(test.notices, g.Notices); fmt.Sprint(aliases) != test.aliases || diff != "" {
			t.Errorf("%q, %+v: %v, want %s (-want +got):\n%s", test.policy, test.asked, aliases, test.aliases, diff)
		}
	}
}

func TestServicesDenied(t *testing.T) {
	const subject = `policy denies service "docker.io/library/x:latest": `
	const pull = "remove `pull_policy:` from .gitlab-ci.yml (p.toml: general.podman.image_pull_policy)"
	const entrypoint, command = `policy denies the entrypoint of service "docker.io/library/x:latest": `, `policy denies the command of service "docker.io/library/x:latest": `
	const long = "longer than 32 KiB"
	const write = "write `services:` in .gitlab-ci.yml as registry/path:tag"
	const fixEntrypoint, fixCommand = "fix `entrypoint:` in .gitlab-ci.yml", "fix `command:` in .gitlab-ci.yml"
	const user = "fix `user:` in .gitlab-ci.yml"
	type words = []string
	tests := []struct {
		asked         ServiceRequest
		message, hint string
	}{
		{ServiceRequest{}, `policy denies a service: invalid image name "": want [registry/]path[:tag] or [registry/]path@digest`, write},
		{ServiceRequest{Image: "--privileged"}, `policy denies a service: invalid image name "--privileged": want [registry/]path[:tag] or [registry/]path@digest`, write},
		{ServiceRequest{Image: "dir://x"}, `policy denies a service: the image name "dir://x" has a transport: write it without "dir://"`, write},
		{ServiceRequest{Image: "x", Platform: "arm64/"}, `policy denies the docker:platform of service "docker.io/library/x:latest": invalid platform "arm64/": want OS/ARCHITECTURE[/VARIANT]`, platformHint},
		{ServiceRequest{Image: "x", User: "--privileged"}, subject + `invalid user "--privileged": want USER or USER:GROUP`, user},
		{ServiceRequest{Image: "x", User: "a:b:c"}, subject + `invalid user "a:b:c": want USER or USER:GROUP`, user},
		{ServiceRequest{Image: "x", User: "root\n"}, subject + `invalid user "root\n": want USER or USER:GROUP`, user},
		{ServiceRequest{Image: "x", User: strings.Repeat("x", 99)}, subject + `invalid user "` + strings.Repeat("x", 80) + `…": want USER or USER:GROUP`, user},
		{ServiceRequest{Image: "x", PullPolicies: words{"never"}}, `policy denies pull_policy ["never"]: this runner only uses the pull policy "always"`, pull},
		{ServiceRequest{Image: "x", PullPolicies: words{"always", "bogus"}}, `policy denies the job's pull_policy: unknown pull policy "bogus": want always, missing, never, newer or if-not-present`, "fix `pull_policy:` in .gitlab-ci.yml, or remove it"},
		{ServiceRequest{Image: "x", Entrypoint: words{"a", "b\x00"}}, entrypoint + "contains a NUL byte", fixEntrypoint},
		{ServiceRequest{Image: "x", Entrypoint: words{"", "x"}}, entrypoint + "the first word is empty", fixEntrypoint},
		{ServiceRequest{Image: "x", Command: words{"\x00"}}, command + "contains a NUL byte", fixCommand},
		{ServiceRequest{Image: "x", Entrypoint: words{strings.Repeat("x", maxEntrypoint), "x"}}, entrypoint + long, fixEntrypoint},
		{ServiceRequest{Image: "x", Command: words{strings.Repeat("x", maxEntrypoint+1)}}, command + long, fixCommand},
	}
	for _, test := range tests {
		test.asked.Aliases = words{"a"}
		// If one service is refused, the job is refused.
		message, hint := deny(t, servicePolicy(t, ""), asked(ServiceRequest{Image: "good", Aliases: words{"good"}}, test.asked))
		if message != test.message || hint != test.hint {
			t.Errorf("%.200q:\n got %s\n     %s\nwant %s\n     %s", fmt.Sprint(test.asked), message, hint, test.message, test.hint)
		}
	}
}
