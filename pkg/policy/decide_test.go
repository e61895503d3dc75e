package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// policyWith returns a small policy with more lines under [general.podman],
// which begin on line 5.
func policyWith(t testing.TB, more string) *Policy {
	t.Helper()
	return parse(t, "[general]\nrun_mechanism = \"podman\"\n[general.podman]\nrunner_image = \"r.example.org/runner:1\"\n"+more)
}

// deny decides on a request that must be refused, and returns its two lines.
func deny(t *testing.T, p *Policy, r Request) (message, hint string) {
	t.Helper()
	g, err := p.Decide(r)
	var d *Denial
	if g != nil || !errors.As(err, &d) {
		t.Fatalf("%+v: want a denial, got %+v, %v", r, g, err)
	}
	return d.Error(), d.Hint()
}

func grant(t *testing.T, p *Policy, r Request) *Grant {
	t.Helper()
	g, err := p.Decide(r)
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	return g
}

func TestImageDecided(t *testing.T) {
	const allow = "default_image = \"debian:12\"\nimage_allow_list = ['r\\.example\\.org/.*', 'docker\\.io/library/(alpine|busybox):.*']\n"
	tests := []struct{ policy, image, want, rule string }{
		{"", "alpine", "docker.io/library/alpine:latest", ""},
		{"image_allow_list = []\n", "alpine", "docker.io/library/alpine:latest", ""},
		{allow, "r.example.org/x", "r.example.org/x:latest", `r\.example\.org/.*`},
		{allow, "R.EXAMPLE.org/x", "r.example.org/x:latest", `r\.example\.org/.*`},
		{allow, "index.docker.io/alpine:3", "docker.io/library/alpine:3", `docker\.io/library/(alpine|busybox):.*`},
		{allow, "", "docker.io/library/debian:12", ""}, // the administrator's own
	}
	for _, test := range tests {
		g := grant(t, policyWith(t, test.policy), Request{Image: test.image})
		if g.UserImage.String() != test.want || g.ImageRule != test.rule || g.DefaultImage != (test.image == "") || g.RunnerImage.String() != "r.example.org/runner:1" {
			t.Errorf("%q under %q: %+v", test.image, test.policy, g)
		}
	}
}

func TestImageDenied(t *testing.T) {
	const allow = "default_image = \"debian:12\"\nimage_allow_list = ['r\\.example\\.org/.*']\n"
	const nothing, listed = "no entry of image_allow_list matches", "p.toml:6: general.podman.image_allow_list lists what is allowed; ask the administrator of this runner for more"
	const write = "write `image:` in .gitlab-ci.yml as registry/path:tag"
	tests := []struct{ policy, image, message, hint string }{
		{"", "", "policy denies a job without an image: the job names no image, and the policy has no default_image", "add `image:` to the job in .gitlab-ci.yml, or ask the administrator to set default_image in p.toml"},
		{allow, "debian:12", `policy denies image "docker.io/library/debian:12": ` + nothing, listed},
		{allow, "evil.io/r.example.org/x", `policy denies image "evil.io/r.example.org/x:latest": ` + nothing, listed},
		{allow, "r.example.org.evil.io/x", `policy denies image "r.example.org.evil.io/x:latest": ` + nothing, listed},
		{allow, "r-example.org/x", `policy denies image "r-example.org/x:latest": ` + nothing, listed},
		{allow, "r.example.org:443/x", `policy denies image "r.example.org:443/x:latest": ` + nothing, listed},
		{allow, "4e9f94", `policy denies image "docker.io/library/4e9f94:latest": ` + nothing, listed},
		{allow, "r.example.org/../evil", `policy denies the job's image: "r.example.org/../evil" is no image name: want [registry/]path[:tag] or [registry/]path@digest`, write},
		{allow, "docker://r.example.org/x", `policy denies the job's image: the image name "docker://r.example.org/x" has a transport: write it without "docker://"`, write},
		{"", "--privileged", `policy denies the job's image: "--privileged" is no image name: want [registry/]path[:tag] or [registry/]path@digest`, write},
		{"", "x\n", `policy denies the job's image: the image name "x\n" has a character that no image name has`, write},
	}
	for _, test := range tests {
		message, hint := deny(t, policyWith(t, test.policy), Request{Image: test.image})
		if message != test.message || hint != test.hint {
			t.Errorf("%q:\n got %s\n     %s\nwant %s\n     %s", test.image, message, hint, test.message, test.hint)
		}
	}
}

// names returns the names of pull policies as the tables have them.
func names(ps PullPolicies) string {
	return strings.NewReplacer(`"`, "", ",", "").Replace(ps.String())
}

func TestPullDecided(t *testing.T) {
	const allowed = "allowed_pull_policies = [\"if-not-present\", \"always\"]\n"
	tests := []struct{ policy, image, asked, runner, user string }{
		{"", "x", "", "missing", "always"},
		{"default_image = \"d\"\n", "", "", "missing", "missing"},
		{"default_image = \"d\"\n", "d", "", "missing", "always"},
		{"image_pull_policy = \"always\"\ndefault_image = \"d\"\n", "", "", "always", "always"},
		{"image_pull_policy = \"never\"\n", "x", "", "never", "never"},
		{"image_pull_policy = \"newer\"\n", "x", "", "newer", "newer"},
		{"image_pull_policy = \"if-not-present\"\n", "x", "", "missing", "missing"},
		{"", "x", "always", "missing", "always"},
		{"", "x", "never always", "missing", "always"},
		{"image_pull_policy = \"missing\"\n", "x", "if-not-present", "missing", "missing"},
		{"image_pull_policy = \"if-not-present\"\n", "x", "missing never", "missing", "missing"},
		{"image_pull_policy = [\"always\", \"if-not-present\"]\n", "x", "", "always missing", "always missing"},
		{"image_pull_policy = [\"always\", \"missing\"]\ndefault_image = \"d\"\n", "", "", "always missing", "always missing"},
		{"image_pull_policy = [\"always\", \"missing\"]\n", "x", "never missing", "always missing", "missing"},
		// what a job may choose, in its own order
		{allowed, "x", "", "missing", "always"},
		{allowed, "x", "if-not-present", "missing", "missing"},
		{allowed, "x", "missing always missing", "missing", "missing always missing"},
		{allowed, "x", "never always newer", "missing", "always"},
		{allowed + "image_pull_policy = \"never\"\n", "x", "", "never", "never"},
		{"allowed_pull_policies = \"never\"\n", "x", "never", "missing", "never"},
	}
	for _, test := range tests {
		g := grant(t, policyWith(t, test.policy), Request{Image: test.image, PullPolicies: strings.Fields(test.asked)})
		if names(g.RunnerPull) != test.runner || names(g.UserPull) != test.user {
			t.Errorf("%+v: %v, %v", test, g.RunnerPull, g.UserPull)
		}
	}
}

func TestPullDenied(t *testing.T) {
	const mend, out = "mend `pull_policy:` in .gitlab-ci.yml, or leave it out", "leave `pull_policy:` out of .gitlab-ci.yml"
	const names = "want always, missing, never, newer or if-not-present"
	tests := []struct{ policy, asked, message, hint string }{
		{"", "never", `policy denies pull_policy ["never"]: this runner pulls images by the policy "always" only`, out + " (p.toml: general.podman.image_pull_policy)"},
		{"", "never if-not-present", `policy denies pull_policy ["never" "if-not-present"]: this runner pulls images by the policy "always" only`, out + " (p.toml: general.podman.image_pull_policy)"},
		{"image_pull_policy = \"newer\"\n", "always", `policy denies pull_policy ["always"]: this runner pulls images by the policy "newer" only`, out + " (p.toml:5: general.podman.image_pull_policy)"},
		{"allowed_pull_policies = [\"missing\", \"always\"]\n", "never newer", `policy denies pull_policy ["never" "newer"]: this runner allows jobs the policies "missing", "always" only`, "choose of those in .gitlab-ci.yml, or leave `pull_policy:` out (p.toml:5: general.podman.allowed_pull_policies)"},
		// what is in force is not allowed by that
		{"allowed_pull_policies = [\"missing\"]\n", "always", `policy denies pull_policy ["always"]: this runner allows jobs the policies "missing" only`, "choose of those in .gitlab-ci.yml, or leave `pull_policy:` out (p.toml:5: general.podman.allowed_pull_policies)"},
		{"", "x", `policy denies the job's pull_policy: unknown pull policy "x": ` + names, mend},
		{"", "always x", `policy denies the job's pull_policy: unknown pull policy "x": ` + names, mend},
		{"", "ALWAYS", `policy denies the job's pull_policy: unknown pull policy "ALWAYS": ` + names, mend},
		{"", strings.Repeat("x", 9999), `policy denies the job's pull_policy: unknown pull policy "` + strings.Repeat("x", 40) + `…": ` + names, mend},
	}
	for _, test := range tests {
		message, hint := deny(t, policyWith(t, test.policy), Request{Image: "x", PullPolicies: strings.Fields(test.asked)})
		if message != test.message || hint != test.hint {
			t.Errorf("%.99q:\n got %s\n     %s\nwant %s\n     %s", test.asked, message, hint, test.message, test.hint)
		}
	}
	message, _ := deny(t, policyWith(t, ""), Request{Image: "x", PullPolicies: []string{""}})
	if want := `policy denies the job's pull_policy: unknown pull policy "": ` + names; message != want {
		t.Errorf("an empty pull policy: %s", message)
	}
}

func TestEntryPointsDecided(t *testing.T) {
	type words = []string
	const both = "runner_entry_point = [\"r\", \"-x\"]\nuser_entry_point = [\"u\"]\n"
	tests := []struct {
		policy       string
		asked        words
		runner, user EntryPoint
	}{
		{"", nil, EntryPoint{Shell: true}, EntryPoint{Shell: true}},
		{"", words{}, EntryPoint{Shell: true}, EntryPoint{Shell: true}},
		{"", words{""}, EntryPoint{Shell: true}, EntryPoint{Shell: true}},
		{"", words{"e", "", "--flag", "a\nb"}, EntryPoint{Shell: true}, EntryPoint{Words: words{"e", "", "--flag", "a\nb"}, Shell: true}},
		{"", words{strings.Repeat("x", maxEntrypoint)}, EntryPoint{Shell: true}, EntryPoint{Words: words{strings.Repeat("x", maxEntrypoint)}, Shell: true}},
		{both, nil, EntryPoint{Words: words{"r", "-x"}}, EntryPoint{Words: words{"u"}}},
		{both, words{"e"}, EntryPoint{Words: words{"r", "-x"}}, EntryPoint{Words: words{"u"}}},
		{both, words{"a\x00"}, EntryPoint{Words: words{"r", "-x"}}, EntryPoint{Words: words{"u"}}},
		{"runner_entry_point = []\nuser_entry_point = []\n", words{"e"}, EntryPoint{Shell: true}, EntryPoint{Words: words{"e"}, Shell: true}},
	}
	for _, test := range tests {
		g := grant(t, policyWith(t, test.policy), Request{Image: "x", Entrypoint: test.asked})
		if diff := cmp.Diff([]EntryPoint{test.runner, test.user}, []EntryPoint{g.RunnerEntry, g.UserEntry}); diff != "" {
			t.Errorf("%.99q under %q (-want +got):\n%s", test.asked, test.policy, diff)
		}
	}
}

// An image's own entry point runs where the policy says so, and nobody names
// another.
func TestImageEntryPointDecided(t *testing.T) {
	const key = "image_entry_point = true\n"
	for _, test := range []struct {
		policy string
		asked  []string
		want   bool
	}{
		{"", nil, false},
		{key, nil, true},
		{key, []string{}, true},
		{key, []string{""}, false},
		{key, []string{"e"}, false},
		{key + "user_entry_point = [\"u\"]\n", nil, false},
	} {
		if g := grant(t, policyWith(t, test.policy), Request{Image: "x", Entrypoint: test.asked}); g.ImageEntry != test.want {
			t.Errorf("%q under %q: %v", test.asked, test.policy, g.ImageEntry)
		}
	}
}

func TestEntryPointsDenied(t *testing.T) {
	const long = "policy denies the job's image:entrypoint: it is longer than 32 KiB"
	const empty = "policy denies the job's image:entrypoint: its first word is empty"
	tests := []struct {
		asked []string
		want  string
	}{
		{[]string{"a", "b\x00"}, "policy denies the job's image:entrypoint: it has a NUL byte"},
		{[]string{"", "x"}, empty},
		{[]string{"", ""}, empty},
		{[]string{"x", strings.Repeat("x", maxEntrypoint)}, long},
	}
	for _, test := range tests {
		message, hint := deny(t, policyWith(t, ""), Request{Image: "x", Entrypoint: test.asked})
		if message != test.want || hint != "mend `entrypoint:` in .gitlab-ci.yml" {
			t.Errorf("%.99q:\n got %s\n     %s\nwant %s", test.asked, message, hint, test.want)
		}
	}
}

func TestStepScriptOnlyHasNoRunnerImage(t *testing.T) {
	for _, image := range []string{"", "runner_image = \"r\"\n"} {
		p := parse(t, "[general]\nrun_mechanism = \"podman\"\ndata_dir = \"/d\"\n[general.podman]\nstep_script_only = true\n"+image)
		if g := grant(t, p, Request{Image: "x"}); g.RunnerImage != (Image{}) {
			t.Errorf("with %q the runner image is %q", image, g.RunnerImage)
		}
	}
}

func TestDecideIsPure(t *testing.T) {
	p := policyWith(t, "volume_allow_list = ['/data/.*']\nimage_allow_list = ['docker.io/.*']\n[general.podman.volumes]\nallowed_options = [\"z\", \"noexec\"]\n"+serviceTables)
	r := Request{
		Image: "x", Entrypoint: []string{"a", "b"}, PullPolicies: []string{"always"}, Reserved: []string{"/builds"},
		Volumes:  []VolumeRequest{volumeRequest(t, "/data/a:/a:z,noexec,ro"), volumeRequest(t, "/data/b:/b")},
		Services: []ServiceRequest{{Image: "y", DefaultAliases: make([]string, 0, 9), Aliases: []string{"db", "y"}}},
	}
	first := grant(t, p, r)
	for range 10 {
		if diff := cmp.Diff(first, grant(t, p, r), cmp.AllowUnexported(Image{})); diff != "" {
			t.Fatalf("two decisions on one request (-first +second):\n%s", diff)
		}
	}
	if p.File() != "p.toml" || len(r.Volumes[0].Options) != 3 || r.Volumes[0].Options[0] != "z" {
		t.Errorf("deciding changed the request: %+v", r)
	}
}

// A hint never names a key without saying where it stands.
func TestHintForms(t *testing.T) {
	tests := []struct {
		denial Denial
		want   string
	}{
		{Denial{Rule: "p.toml:3: k"}, "p.toml:3: k lists what is allowed; ask the administrator of this runner for more"},
		{Denial{Advice: "do this"}, "do this"},
		{Denial{Advice: "do this", Rule: "p.toml:3: k"}, "do this (p.toml:3: k)"},
	}
	for _, test := range tests {
		if got := test.denial.Hint(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.denial, got, test.want)
		}
	}
}
