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

// Rule is one entry of an allow list. Each program of each job reads the whole list for
// one decision, and lists may be long. So an expression is compiled only when a name has
// the text that all matches of the expression have.
type Rule struct {
	Expression string
	// text is a part of every string that the expression matches. exact reports whether
	// text is the only string that it matches.
	text  string
	exact bool
	whole *lazyRegexp
}

// newRule makes a rule of an expression, which is to match whole strings only.
func newRule(expression string) (Rule, error) {
	// The expression must be valid by itself: `a)|(b` would escape the wrapping.
	tree, err := parsePerl(expression)
	if err != nil {
		return Rule{}, fmt.Errorf("invalid regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if mayOutgrow(expression) {
		if _, err := wrapped(expression, parsePerl); err != nil {
			return Rule{}, errors.New("invalid regular expression: it is too large")
		}
	}
	r := Rule{Expression: expression}
	if r.text, r.exact = textIn(tree); !r.exact {
		r.whole = new(lazyRegexp)
	}
	return r, nil
}

// mayOutgrow reports whether a valid expression may be too large once it is wrapped.
// [regexp/syntax] takes 1,000 levels, and each byte adds one at most. Only repetitions
// such as `a{100}` make a short expression large.
func mayOutgrow(expression string) bool {
	const short = 500 // bytes
	return len(expression) > short || strings.Contains(expression, "{")
}

// parsePerl fails for the same expressions as [regexp.Compile], with the same errors, at
// a quarter of the cost: about 3 ms for a list of 1,000 images. What it has parsed
// can always be compiled.
func parsePerl(expression string) (*syntax.Regexp, error) {
	return syntax.Parse(expression, syntax.Perl)
}

// wrapped calls read with an expression that matches whole strings only.
func wrapped[T any](expression string, read func(string) (T, error)) (T, error) {
	whole, err := read(`\A(?:` + expression + `)\z`)
	if err != nil {
		// A \Q without its \E has quoted the end of the wrapping.
		whole, err = read(`\A(?:` + expression + `\E)\z`)
	}
	return whole, err
}

// textIn returns the longest literal text that is in every match of a parsed expression,
// and whether the text is its only match.
func textIn(tree *syntax.Regexp) (text string, exact bool) {
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

// literal returns the text of a part that matches only that text.
func literal(part *syntax.Regexp) (string, bool) {
	if part.Op != syntax.OpLiteral || part.Flags&syntax.FoldCase != 0 {
		return "", false
	}
	text := string(part.Rune)
	// Each byte that is not UTF-8 matches this rune.
	if strings.ContainsRune(text, utf8.RuneError) {
		return "", false
	}
	return text, true
}

// lazyRegexp is an expression that is compiled when it is first needed.
type lazyRegexp struct {
	once     sync.Once
	compiled *regexp.Regexp
}

func (l *lazyRegexp) matches(expression, s string) bool {
	l.once.Do(func() {
		var err error
		if l.compiled, err = wrapped(expression, regexp.Compile); err != nil {
			panic("policy: an expression that was checked at parsing: " + err.Error())
		}
	})
	return l.compiled.MatchString(s)
}

// prefix returns a text that every match of the rule begins with.
func (r *Rule) prefix() string {
	if r.exact {
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
	if r.exact {
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
