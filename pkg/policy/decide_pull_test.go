package policy

import (
	"strings"
	"testing"
)

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
	const fix, out = "fix `pull_policy:` in .gitlab-ci.yml, or remove it", "remove `pull_policy:` from .gitlab-ci.yml"
	const names = "want always, missing, never, newer or if-not-present"
	tests := []struct{ policy, asked, message, hint string }{
		{"", "never", `policy denies pull_policy ["never"]: this runner only uses the pull policy "always"`, out + " (p.toml: general.podman.image_pull_policy)"},
		{"", "never if-not-present", `policy denies pull_policy ["never" "if-not-present"]: this runner only uses the pull policy "always"`, out + " (p.toml: general.podman.image_pull_policy)"},
		{"image_pull_policy = \"newer\"\n", "always", `policy denies pull_policy ["always"]: this runner only uses the pull policy "newer"`, out + " (p.toml:5: general.podman.image_pull_policy)"},
		{"allowed_pull_policies = [\"missing\", \"always\"]\n", "never newer", `policy denies pull_policy ["never" "newer"]: this runner only allows the pull policies "missing", "always"`, "choose from these in .gitlab-ci.yml, or remove `pull_policy:` (p.toml:5: general.podman.allowed_pull_policies)"},
		// what is in force is not allowed by that
		{"allowed_pull_policies = [\"missing\"]\n", "always", `policy denies pull_policy ["always"]: this runner only allows the pull policies "missing"`, "choose from these in .gitlab-ci.yml, or remove `pull_policy:` (p.toml:5: general.podman.allowed_pull_policies)"},
		{"", "x", `policy denies the job's pull_policy: unknown pull policy "x": ` + names, fix},
		{"", "always x", `policy denies the job's pull_policy: unknown pull policy "x": ` + names, fix},
		{"", "ALWAYS", `policy denies the job's pull_policy: unknown pull policy "ALWAYS": ` + names, fix},
		{"", strings.Repeat("x", 9999), `policy denies the job's pull_policy: unknown pull policy "` + strings.Repeat("x", 40) + `…": ` + names, fix},
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

// A job's own services are pulled always where the policy says nothing, those of
// the policy when they are missing.
func TestServicePull(t *testing.T) {
	tests := []struct{ policy, asked, added, own string }{
		{"", "", "missing", "always"},
		{"", "never always", "missing", "always"},
		{"image_pull_policy = \"always\"\n", "", "always", "always"},
		{"image_pull_policy = \"never\"\n", "never", "never", "never"},
		{"image_pull_policy = \"if-not-present\"\n", "if-not-present", "missing", "missing"},
		{"allowed_pull_policies = [\"missing\", \"never\"]\n", "newer never missing", "missing", "never missing"},
	}
	for _, test := range tests {
		r := asked(ServiceRequest{Image: "x", Aliases: []string{"a"}, PullPolicies: strings.Fields(test.asked)})
		g := grant(t, servicePolicy(t, test.policy+serviceTables), r)
		if len(g.Services) != 3 || names(g.Services[0].Pull) != test.added || names(g.Services[2].Pull) != test.own {
			t.Errorf("%+v: %+v", test, g.Services)
		}
	}
}
