package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
	const long = "policy denies the job's image:entrypoint: longer than 32 KiB"
	const empty = "policy denies the job's image:entrypoint: the first word is empty"
	tests := []struct {
		asked []string
		want  string
	}{
		{[]string{"a", "b\x00"}, "policy denies the job's image:entrypoint: contains a NUL byte"},
		{[]string{"", "x"}, empty},
		{[]string{"", ""}, empty},
		{[]string{"x", strings.Repeat("x", maxEntrypoint)}, long},
	}
	for _, test := range tests {
		message, hint := deny(t, policyWith(t, ""), Request{Image: "x", Entrypoint: test.asked})
		if message != test.want || hint != "fix `entrypoint:` in .gitlab-ci.yml" {
			t.Errorf("%.99q:\n got %s\n     %s\nwant %s", test.asked, message, hint, test.want)
		}
	}
}
