package policy

import "testing"

func TestPullPolicyNames(t *testing.T) {
	for name, want := range map[string]string{"always": "always", "missing": "missing", "never": "never", "newer": "newer", "if-not-present": "missing"} {
		text, _ := write(with("general.podman.image_pull_policy", `"`+name+`"`))
		if got := parse(t, text).General.Podman.ImagePullPolicy; names(got) != want {
			t.Errorf("%q is %v, want %q", name, got, want)
		}
	}
}

func TestPullPolicyLists(t *testing.T) {
	for _, key := range []string{"general.podman.image_pull_policy", "general.podman.allowed_pull_policies"} {
		wantBadValue(t, key, `[]`, "want at least one pull policy")
		wantBadValue(t, key, `["always", "", "Never"]`,
			`entry 2: unknown pull policy "": want always, missing, never, newer or if-not-present`,
			`entry 3: unknown pull policy "Never": want always, missing, never, newer or if-not-present`)
	}
}
