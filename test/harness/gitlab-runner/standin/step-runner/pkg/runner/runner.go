// Package runner stands in for gitlab.com/gitlab-org/step-runner/pkg/runner, what a step-runner offers to the functions
// built into it.
//
// Only native steps use it, which the custom executor does not offer; no job of it passes through here. The functions
// compile, but no step-runner ever calls them.
package runner

import (
	"context"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"gitlab.com/gitlab-org/step-runner/proto"
)

// Kind is the type of an input.
type Kind int

// The types of inputs that the runner's functions ask for.
const (
	KindString Kind = iota
	KindList
	KindBool
)

// BuiltinFunction is a function that steps can call.
type BuiltinFunction interface {
	Spec() *proto.Spec
	Run(context.Context, BuiltinContext) (BuiltinResult, error)
}

// BuiltinResult is what a function returns.
type BuiltinResult struct{}

// BuiltinContext is what a function knows about the step that calls it.
type BuiltinContext interface {
	GetInput(name string, kind Kind) (*structpb.Value, error)
	GetInputWithDefault(name string, kind Kind, inputs map[string]*proto.Spec_Content_Input) (*structpb.Value, error)
	GetEnvList() []string
	GetEnvs() map[string]string
	GetJobVars() map[string]*structpb.Value
	GracefulExitDelay() time.Duration
	ListenCancel(context.Context) (context.Context, context.CancelFunc)
	Pipe() (stdout, stderr io.Writer)
	WorkDir() string
}
