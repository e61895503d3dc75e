package policy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// compiled is what a rule must be the same as: its expression, compiled at once.
func compiled(expression string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(expression); err != nil {
		return nil, fmt.Errorf("invalid regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	whole, err := regexp.Compile(`\A(?:` + expression + `)\z`)
	if err != nil {
		whole, err = regexp.Compile(`\A(?:` + expression + `\E)\z`)
	}
	if err != nil {
		return nil, errors.New("invalid regular expression: it is too large")
	}
	return whole, nil
}

// sameAsCompiled compares a rule with its expression, and reports whether there is a rule,
// and whether it matches s.
func sameAsCompiled(t *testing.T, expression, s string) (isRule, matches bool) {
	t.Helper()
	want, wantErr := compiled(expression)
	got, err := newRule(expression)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("%.200q: %v, want %v", expression, err, wantErr)
	}
	if err != nil {
		return false, false
	}
	matches = got.matches(s)
	if matches != want.MatchString(s) {
		t.Fatalf("%.200q matches %q: %v, with the text %q in it, exact: %v", expression, s, matches, got.text, got.exact)
	}
	return true, matches
}

func FuzzRule(f *testing.F) {
	groups := func(n int) string { return strings.Repeat("(", n) + strings.Repeat(")", n) }
	for _, expression := range []string{
		``, `a`, `a|b`, `a\.b`, `[a-z0-9._-]+:.*`, `[^:]+`, `[z-a]`, `[]a]`, `[a-]`, `[--9]`, `[a`, `[a-`, `[\]-a]`, `[[:alpha:]]`, `a**`, `a*?`, `a+b`, `ab?`, `*`,
		`(a|b)*c`, `(a`, `a)`, `()`, `(|a)+`, `(?i)ab`, `a{2}`, `a{`, `a{2000}`, `\Qa.b`, `\Qa\`, `a\`, `\d`, `\_`, `\/`, `\é`, `é`, "\x80", `\x{fffd}`, "\ufffd", `\x{d800}`, `^a$`, `(?m)^a$`, `\ba`,
		"\\\x80", "\\\n", `\ `, groups(250), groups(251), groups(998), groups(999), groups(1000), strings.Repeat("(a|b", 100) + strings.Repeat(")?", 100), strings.Repeat("a?", 250), strings.Repeat("a?", 251), `(x{100}){11}`,
	} {
		f.Add(expression, "a.b")
		f.Add(expression, "")
		f.Add(expression, "\xff")
		f.Add(expression, "\ufffd")
		f.Add(expression, expression)
	}
	f.Fuzz(func(t *testing.T, expression, s string) {
		if strings.Count(expression, "{") > 3 || strings.Count(expression, "\\p") > 3 {
			t.Skip("it may take seconds to compile")
		}
		sameAsCompiled(t, expression, s)
	})
}

// terms are parts of expressions, each with a text that it matches. Any may stand beside
// any: then some expressions are bad, and some match something else.
var terms = []struct{ expression, text string }{
	{`a`, "a"},
	{`b`, "b"},
	{`ab`, "ab"},
	{`a-b/c`, "a-b/c"},
	{`.`, "b"},
	{`\.`, "."},
	{`\\`, `\`},
	{`é`, "é"},
	{`\x{fffd}`, "\xff"},
	{" ", " "},
	{`.*`, "ba"},
	{`a*`, "aa"},
	{`a+`, "aa"},
	{`b?`, ""},
	{`\.?`, ""},
	{`b??`, ""},
	{`a{2}`, "aa"},
	{`[^:]*`, "ab"},
	{`[ab]`, "b"},
	{`[^b]`, "a"},
	{`[a-b.]+`, "a.b"},
	{`[a-]`, "-"},
	{`[\]-]`, "]"},
	{`[\d]`, "1"},
	{`\d`, "1"},
	{`[:-b]`, "a"},
	{`(a|b)`, "a"},
	{`(ab)?`, ""},
	{`(|a)*`, "a"},
	{`(?:a|b)`, "b"},
	{`((a)b)+`, "abab"},
	{`(?i:AB)`, "ab"},
	{`^`, ""},
	{`$`, ""},
	{`\b`, ""},
	{`\z`, ""},
	{`(?i)`, ""},
	{`(?s)`, ""},
	{`\Q`, ""},
	{`\E`, ""},
	{`|`, ""},
	{`(`, ""},
	{`)`, ""},
	{`[`, "["},
	{`]`, "]"},
	{`*`, ""},
	{`?`, ""},
	{`{`, "{"},
	{`\`, ""},
}

// Rules match what their expressions match, whole, and are refused with the same words.
func TestRandomRules(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var withText, bad, exact, matched, others int
	for range 10_000 {
		var expression, s string
		// The last are those that make most expressions bad.
		choice := len(terms) - random.IntN(2)*17
		for range 1 + random.IntN(6) {
			term := terms[random.IntN(choice)]
			expression, s = expression+term.expression, s+term.text
		}
		if random.IntN(2) == 0 {
			at := random.IntN(len(s) + 1)
			s = s[:at] + terms[random.IntN(len(terms))].text + s[min(at+random.IntN(2), len(s)):]
		}
		isRule, matches := sameAsCompiled(t, expression, s)
		if !isRule {
			bad++
			continue
		}
		if matches {
			matched++
		} else {
			others++
		}
		rule, _ := newRule(expression)
		if rule.text != "" {
			withText++
		}
		if rule.exact {
			exact++
		}
	}
	for what, n := range map[string]int{
		"with a text": withText, "bad": bad, "exact": exact, "matched": matched, "not matched": others,
	} {
		if n < 200 {
			t.Errorf("only %d expressions were %s: the test tests little", n, what)
		}
	}
}

func TestTextOfRules(t *testing.T) {
	tests := []struct {
		expression, text string
		exact            bool
	}{
		{`registry\.example\.com/group/[a-z]+:.*`, "registry.example.com/group/", false},
		{`registry\.example\.com/image:1`, "registry.example.com/image:1", true},
		{`[a-z.]+/group-7/.*`, "/group-7/", false},
		{`/data/abc?`, "/data/ab", false},
		{`/data/x+y`, "/data/", false},
		{`/data(/.*)?`, "/data", false},
		{`(registry\.a|registry\.b)/x`, "/x", false},
		{`a|b`, "", false},
		{`.*`, "", false},
		{`registry\.example\.com/(?:a|b)/.*`, "registry.example.com/", false},
		{`\Qregistry.example.com/image:1`, "registry.example.com/image:1", true},
		{`(?i)registry`, "", false},
		{`registry.example/ü`, "example/ü", false},
	}
	for _, test := range tests {
		r, err := newRule(test.expression)
		if err != nil || r.text != test.text || r.exact != test.exact {
			t.Errorf("%q: text %q, exact: %v, %v", test.expression, r.text, r.exact, err)
		}
	}
}

// The rules of a policy are compiled at the first decision that needs them, and two may
// be made at once.
func TestRulesAtOnce(t *testing.T) {
	p := policyWith(t, "image_allow_list = ['docker\\.io/library/a.*', 'docker\\.io/library/[b-d]', 'docker\\.io/other/.*']\n")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { _, _ = p.Decide(Request{Image: "c"}); _, _ = p.Decide(Request{Image: "alpine"}) })
	}
	all.Wait()
	for _, r := range p.General.Podman.ImageAllowList {
		if needed := r.text != "docker.io/other/"; (r.whole.compiled != nil) != needed {
			t.Errorf("%s: compiled: %v, want %v", r.Expression, !needed, needed)
		}
	}
}
