// Package di stands in for gitlab.com/gitlab-org/step-runner/pkg/di, which puts a step-runner together.
//
// Only native steps use it, which the custom executor does not offer; no job of it passes through here.
package di

import (
	"errors"
	"log/slog"

	"gitlab.com/gitlab-org/step-runner/pkg/runner"
)

// ErrNotBuiltIn is what every operation here ends in.
var ErrNotBuiltIn = errors.New("native steps are not built in")

// Container would hold the parts of a step-runner.
type Container struct{}

// NewContainer returns an empty container.
func NewContainer(...func(*Container)) *Container { return &Container{} }

// StepRunnerService refuses.
func (*Container) StepRunnerService() (any, error) { return nil, ErrNotBuiltIn }

// WithBuiltinFunc would add a function that steps can call.
func WithBuiltinFunc(string, runner.BuiltinFunction) func(*Container) { return func(*Container) {} }

// WithOperatorLogger would set the log.
func WithOperatorLogger(*slog.Logger) func(*Container) { return func(*Container) {} }
