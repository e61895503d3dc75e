package policy

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
	"unicode/utf8"
)

// Rule is one entry of an allow list. Lists may be long, and each program of each job
// reads them anew for one decision: so an expression is compiled only when something
// may match it.
type Rule struct {
	Expression string
	// text is in all that the expression matches, and alone tells that it matches
	// nothing else.
	text  string
	alone bool
	whole *lazily
}

// newRule makes a rule of an expression, which is to match whole strings only.
func newRule(expression string) (Rule, error) {
	r := Rule{Expression: expression}
	if p, ok := scanPlain(expression); ok {
		r.text, r.alone = p.text, p.alone
	} else {
		// The expression must stand on its own: `a)|(b` would escape the wrapping.
		tree, err := parsePerl(expression)
		if err != nil {
			return Rule{}, fmt.Errorf("bad regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		if _, err := wrapped(expression, parsePerl); err != nil {
			return Rule{}, errors.New("bad regular expression: it is too large")
		}
		r.text, r.alone = textIn(tree)
	}
	if !r.alone {
		r.whole = new(lazily)
	}
	return r, nil
}

// parsePerl fails where [regexp.Compile] does, with its errors, at a quarter of the cost:
// what was parsed can always be compiled.
func parsePerl(expression string) (*syntax.Regexp, error) {
	return syntax.Parse(expression, syntax.Perl)
}

// wrapped gives read an expression made to match whole strings only.
func wrapped[T any](expression string, read func(string) (T, error)) (T, error) {
	whole, err := read(`\A(?:` + expression + `)\z`)
	if err != nil {
		// A \Q without its \E has taken the end of the wrapping for itself.
		whole, err = read(`\A(?:` + expression + `\E)\z`)
	}
	return whole, err
}

// textIn returns the longest text that a parsed expression shows to be in all that it
// matches, and whether it matches nothing else.
func textIn(tree *syntax.Regexp) (text string, alone bool) {
	if tree.Op == syntax.OpConcat {
		for _, part := range tree.Sub {
			if t, ok := literal(part); ok && len(t) > len(text) {
				text = t
			}
		}
		return text, false
	}
	return literal(tree)
}

// literal returns the only text that a part of an expression matches.
func literal(part *syntax.Regexp) (string, bool) {
	if part.Op != syntax.OpLiteral || part.Flags&syntax.FoldCase != 0 {
		return "", false
	}
	text := string(part.Rune)
	// Bytes that are not UTF-8 match this, each one.
	if strings.ContainsRune(text, utf8.RuneError) {
		return "", false
	}
	return text, true
}

// lazily is an expression that is compiled when it is first needed.
type lazily struct {
	once     sync.Once
	compiled *regexp.Regexp
}

func (l *lazily) matches(expression, s string) bool {
	l.once.Do(func() {
		var err error
		if l.compiled, err = wrapped(expression, regexp.Compile); err != nil {
			panic("policy: an expression that was checked at parsing: " + err.Error())
		}
	})
	return l.compiled.MatchString(s)
}

// prefix returns a text that all that the rule matches begins with.
func (r *Rule) prefix() string {
	if r.alone {
		return r.text
	}
	expression := strings.TrimPrefix(strings.TrimPrefix(r.Expression, "^"), `\A`)
	compiled, err := regexp.Compile(expression)
	if err != nil {
		return ""
	}
	text, _ := compiled.LiteralPrefix()
	return text
}

func (r *Rule) matches(s string) bool {
	if r.alone {
		return s == r.text
	}
	return strings.Contains(s, r.text) && r.whole.matches(r.Expression, s)
}

// match returns the first rule that matches s whole.
func match(rules []Rule, s string) (Rule, bool) {
	for i := range rules {
		if rules[i].matches(s) {
			return rules[i], true
		}
	}
	return Rule{}, false
}
