package policy

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEscapeHost(t *testing.T) {
	for expression, want := range map[string]string{
		`registry.example.com/.*`:            `registry\.example\.com/.*`,
		`registry\.example\.com/.*`:          ``,
		`registry\.example.com:5000/team/.+`: `registry\.example\.com:5000/team/.+`,
		`registry[.]example[.]com/.*`:        ``,
		`\Qregistry.example.com/\E.*`:        ``,
		`\Qregistry.example.com\E/.*`:        ``,
		`docker\.io/library/a.b`:             ``,
		`docker.io/library/a.b`:              `docker\.io/library/a.b`,
		`.*`:                                 ``,
		`.+`:                                 ``,
		`.*/team/.*`:                         ``,
		`.*\.example\.com/.*`:                `[^/]*\.example\.com/.*`,
		`.*.example.com/.*`:                  `[^/]*\.example\.com/.*`,
		`r.{3}\.example\.com/x`:              `r[^/]{3}\.example\.com/x`,
		`(docker.io|quay\.io)/.*`:            `(docker\.io|quay\.io)/.*`,
		`(docker.io/library|quay.io/a.b)/.*`: `(docker\.io/library|quay\.io/a.b)/.*`,
		`a.io/x.y|b.io/x.y`:                  `a\.io/x.y|b\.io/x.y`,
		`(?:a.io|(?P<n>b.io))/c.d`:           `(?:a\.io|(?P<n>b\.io))/c.d`,
		`[^]/.]+.io/x`:                       `[^]/.]+\.io/x`,
		`[[:alpha:].]+.io/x`:                 `[[:alpha:].]+\.io/x`,
		`no.slash`:                           ``,
		`registry\.example\.com.*`:           `registry\.example\.com/.*`,
		`registry.example.com.+`:             `registry\.example\.com/.+`,
		`(a\.io|b\.io).*`:                    `(a\.io|b\.io)/.*`,
		`debian.*`:                           ``,
		`a.io\/x.y`:                          ``, // RE2 takes \/ for a slash, nobody writes it
		`(?i)A.io/x`:                         `(?i)A\.io/x`,
		``:                                   ``,
		`\`:                                  ``,
		`[`:                                  ``,
		`(`:                                  ``,
	} {
		if want == "" {
			want = expression
		}
		if got := escapeHost(expression); got != want {
			t.Errorf("%s: got %s, want %s", expression, got, want)
		}
	}
}

func TestLooseRules(t *testing.T) {
	p := policyWith(t, "image_allow_list = ['docker\\.io/.*', 'registry.example.com/.*']\nservice_allow_list = [\n 'a.io/x',\n]\n")
	line := p.Line("general.podman.image_allow_list")
	want := []LooseRule{
		{"general.podman.image_allow_list", line, 2, "registry.example.com/.*", `registry\.example\.com/.*`},
		{"general.podman.service_allow_list", line + 1, 1, "a.io/x", `a\.io/x`},
	}
	if diff := cmp.Diff(want, p.LooseRules()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzEscapeHost: what is written instead is an expression where the other one is, has no
// loose dot any more, and matches nothing that the other one does not.
func FuzzEscapeHost(f *testing.F) {
	for _, seed := range []string{`registry.example.com/.*`, `.*.example.com/x`, `(a.io|b.io/x)/y`, `\Qa.b\E/c`, `[^]/.].io/x`, `a.b`, `(?i)a.b/`} {
		f.Add(seed, "registry.example.com/x")
	}
	f.Fuzz(func(t *testing.T, expression, name string) {
		old, err := newRule(expression)
		if err != nil {
			return
		}
		instead := escapeHost(expression)
		if _, err := newRule(instead); err != nil {
			t.Fatalf("%q becomes %q: %v", expression, instead, err)
		}
		if again := escapeHost(instead); again != instead {
			t.Errorf("%q becomes %q, and that %q", expression, instead, again)
		}
		if matches(instead, name) && !matches(old.Expression, name) {
			t.Errorf("%q becomes %q, which matches %q", expression, instead, name)
		}
	})
}

func matches(expression, name string) bool {
	whole, err := wrapped(expression, regexp.Compile)
	return err == nil && whole.MatchString(name)
}
