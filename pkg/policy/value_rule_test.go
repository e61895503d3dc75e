package policy

import (
	"strings"
	"testing"
)

// What a rule matches begins with its prefix.
func FuzzRulePrefix(f *testing.F) {
	for _, seed := range [][2]string{{"/data(/.*)?", "/data/x"}, {"^/a|b", "b"}, {`\A\Q/a`, "/a"}, {"(?i)/a", "/A"}, {"(?:/a)?", ""}, {`^(|\A)/a`, "/a"}, {"^*a", "a"}, {`\A?a`, "a"}, {"^{0}a", "a"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, expression, text string) {
		r, err := newRule(expression)
		if err != nil {
			return // not a rule
		}
		if r.matches(text) && !strings.HasPrefix(text, r.prefix()) {
			t.Errorf("%q matches %q, which does not begin with %q", expression, text, r.prefix())
		}
	})
}

func TestRulesMatchWhole(t *testing.T) {
	tests := []struct {
		expression, name string
		want             bool
	}{
		{`registry.example.com/x:1`, "registry.example.com/x:1", true},
		{`registry.example.com/`, "registry.example.com/x:1", false},
		{`registry.example.com/x`, "evil.io/registry.example.com/x", false},
		{`x:1`, "registry.example.com/x:1", false},
		{`registry.example.com/x`, "registry.example.com/x:1", false},
		{`a|b`, "a", true},
		{`a|b`, "b", true},
		{`a|b`, "ab", false},
		{`a|b`, "xb", false},
		{`a|b`, "ax", false},
		{`^a|b$`, "axxx", false},
		{`^a|b$`, "xxxb", false},
		{`^a$`, "a", true},
		{`a`, "a\n", false},
		{`a$`, "a\n", false},
		{`(?m)a$`, "a\nb", false},
		{`(?m)^a$`, "b\na", false},
		{`(?m)^a$`, "a", true},
		{`(?m)^a$|^b$`, "a\nb", false},
		{`.*`, "a\nb", false},
		{`(?s).*`, "a\nb", true},
		{`(?i)A`, "a", true},
		{`(?i)a`, "A", true},
		{`\Qa.b\E`, "a.b", true},
		{`\Qa.b\E`, "axb", false},
		{`\Qa.b`, "a.b", true},
		{`\Qa.b`, "axb", false},
		{`\Qa.b`, "a.b)", false},
		{`\Qa)|(?:b`, "a)|(?:b", true},
		{`\Qa)|(?:b`, "a", false},
		{`\Qa)|(?:b`, "b", false},
		{`\Qa\`, `a\`, true},
		{`\Qa\`, `a`, false},
		{``, "", true},
		{``, "a", false},
		{`a??`, "a", true},
		{`(?U)a+`, "aaa", true},
		{`\Aa\z`, "a", true},
		{`docker.io/library/[^:]+:.*`, "docker.io/library/debian:12", true},
		{`docker.io/library/[^:]+:.*`, "docker.io/evil/library/debian:12", false},
	}
	for _, test := range tests {
		r, err := newRule(test.expression)
		if err != nil {
			t.Errorf("%q: %v", test.expression, err)
			continue
		}
		if got := r.matches(test.name); got != test.want {
			t.Errorf("%q matches %q: %v, want %v", test.expression, test.name, got, test.want)
		}
	}
}

func TestBadRules(t *testing.T) {
	for _, expression := range []string{`(`, `)`, `a)|(b`, `)(`, `[`, `a\`, `(?P<n>a`, `a{2000}`, `\Q\E)`, `a\E`, `(?=a)`, strings.Repeat("(", 1000) + strings.Repeat(")", 1000)} {
		if r, err := newRule(expression); err == nil || r != (Rule{}) || !strings.HasPrefix(err.Error(), "invalid regular expression: ") {
			t.Errorf("%.40q: %v, %v", expression, r, err)
		}
	}
}

func TestFirstRuleDecides(t *testing.T) {
	var rules []Rule
	for _, e := range []string{"x", "a.*", ".*"} {
		r, err := newRule(e)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, r)
	}
	for name, want := range map[string]string{"x": "x", "ab": "a.*", "b": ".*"} {
		if r, ok := match(rules, name); !ok || r.Expression != want {
			t.Errorf("%q is matched by %q, %v, want %q", name, r.Expression, ok, want)
		}
	}
	if r, ok := match(rules[:1], "b"); ok {
		t.Errorf("%q matches b", r.Expression)
	}
}
