// Package expression stands in for gitlab.com/gitlab-org/step-runner/pkg/api/expression, which evaluates job inputs.
//
// A job with inputs passes through it, whatever the executor, so it really works for what package moa can parse, and
// refuses what it cannot evaluate.
package expression

import (
	"fmt"
	"strings"

	"gitlab.com/gitlab-org/moa"
	"gitlab.com/gitlab-org/moa/ast"
	"gitlab.com/gitlab-org/moa/value"
)

// Sensitive marks a value that must not be shown.
const Sensitive uint16 = 1

// Input is one input of a job.
type Input struct {
	Key   string
	Value value.Value
}

// Sensitive reports whether the input must not be shown.
func (i Input) Sensitive() bool { return i.Value.HasMarks(Sensitive) }

// Evaluator evaluates expressions over the inputs of a job.
type Evaluator struct{ inputs value.Value }

// NewEvaluator returns an evaluator in which job.inputs is the given object.
func NewEvaluator(inputs value.Value) (*Evaluator, error) { return &Evaluator{inputs}, nil }

// Eval evaluates what moa.ParseTemplate made of text. The result carries the marks of every value it is made of.
func (e *Evaluator) Eval(text string, expr ast.Expr) (value.Value, error) {
	template, ok := expr.(*ast.Template)
	if !ok {
		return value.String(text), nil
	}

	var b strings.Builder
	var marks uint16
	for _, part := range template.Parts {
		switch part := part.(type) {
		case ast.Text:
			b.WriteString(string(part))
		case ast.Reference:
			v, err := e.lookup(part)
			if err != nil {
				return value.Null(), err
			}
			b.WriteString(v.String())
			marks |= v.Marks()
		}
	}
	return value.String(b.String()).WithMarks(marks), nil
}

func (e *Evaluator) lookup(r ast.Reference) (value.Value, error) {
	name := strings.Join(r, ".")
	if len(r) != 3 || r[0] != "job" || r[1] != "inputs" {
		return value.Null(), fmt.Errorf("%q: %w", name, moa.ErrNotBuiltIn)
	}
	v, err := e.inputs.Attr(r[2])
	if err != nil {
		return value.Null(), fmt.Errorf("%q: %w", name, err)
	}
	if v.Kind() != value.StringKind {
		return value.Null(), fmt.Errorf("%q is of type %s: inputs other than strings are not built in", name, v.Kind())
	}
	return v, nil
}
