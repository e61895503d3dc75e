// Package moa stands in for gitlab.com/gitlab-org/moa, the expression language of job inputs: `${{ job.inputs.name }}`
// in a script, an image name and other places of a job.
//
// A job with inputs does pass through it, whatever the executor: the runner expands inputs before it calls a driver.
// A job without inputs does not: the runner leaves its text alone. So this does the one thing that is needed, really:
// it replaces `${{ job.inputs.NAME }}` where the input is a string, and leaves text without `${{` as it is. Every
// other expression (operators, functions, indexes, attributes, escapes) is refused with ErrNotBuiltIn, which fails the
// job; nothing is ever expanded to a wrong value.
package moa

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"gitlab.com/gitlab-org/moa/ast"
)

// ErrNotBuiltIn says that an expression needs the real language.
var ErrNotBuiltIn = errors.New("expressions other than ${{ job.inputs.NAME }} are not built in")

var reference = regexp.MustCompile(`^\$\{\{\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\s*\}\}`)

// ParseTemplate splits text into literal text and references.
func ParseTemplate(text string) (ast.Expr, error) {
	if !strings.Contains(text, "${{") {
		return ast.Text(text), nil
	}

	var parts []ast.Expr
	for text != "" {
		i := strings.Index(text, "${{")
		if i < 0 {
			parts = append(parts, ast.Text(text))
			break
		}
		if i > 0 {
			if text[i-1] == '$' || text[i-1] == '\\' { // may be an escape
				return nil, fmt.Errorf("%q: %w", text[i-1:], ErrNotBuiltIn)
			}
			parts = append(parts, ast.Text(text[:i]))
		}
		m := reference.FindStringSubmatch(text[i:])
		if m == nil {
			return nil, fmt.Errorf("%q: %w", text[i:], ErrNotBuiltIn)
		}
		parts = append(parts, ast.Reference(strings.Split(m[1], ".")))
		text = text[i+len(m[0]):]
	}

	return &ast.Template{Parts: parts}, nil
}

// EscapeTemplate would protect text from expansion. Its only user hands the result to a step-runner, which is not
// built in either.
func EscapeTemplate(text string) string { return text }
