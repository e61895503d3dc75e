// Package ast stands in for gitlab.com/gitlab-org/moa/ast, the parsed form of an expression. See package moa for what
// is really done.
package ast

// Expr is a parsed expression.
type Expr interface {
	// Walk shows the expression and its parts to v and stops at v's first error.
	Walk(v Visitor) (Expr, error)
}

// Visitor is shown each expression, before and after its parts.
type Visitor interface {
	Enter(Expr) (Visitor, error)
	Exit(Expr) (Expr, error)
}

// Text is literal text.
type Text string

// Reference is a dotted name, such as job.inputs.name.
type Reference []string

// Template is text with at least one interpolation.
type Template struct{ Parts []Expr }

// Walk implements Expr.
func (t Text) Walk(v Visitor) (Expr, error) { return walk(t, nil, v) }

// Walk implements Expr.
func (r Reference) Walk(v Visitor) (Expr, error) { return walk(r, nil, v) }

// Walk implements Expr.
func (t *Template) Walk(v Visitor) (Expr, error) { return walk(t, t.Parts, v) }

func walk(e Expr, parts []Expr, v Visitor) (Expr, error) {
	inner, err := v.Enter(e)
	if err != nil {
		return nil, err
	}
	if inner == nil {
		return e, nil
	}
	for _, part := range parts {
		if _, err := part.Walk(inner); err != nil {
			return nil, err
		}
	}
	return v.Exit(e)
}
