// Package proto stands in for gitlab.com/gitlab-org/step-runner/proto, the gRPC interface of a step-runner.
//
// Only native steps use it, which the custom executor does not offer; no job of it passes through here.
package proto

import "google.golang.org/protobuf/types/known/structpb"

// ValueType is the type of an input.
type ValueType int

// The types of inputs that the runner's functions declare.
const (
	ValueType_string ValueType = iota
	ValueType_array
	ValueType_boolean
)

// Spec declares a function.
type Spec struct{ Spec *Spec_Content }

// GetSpec returns the declaration.
func (s *Spec) GetSpec() *Spec_Content { return s.Spec }

// Spec_Content is the declaration of a function.
type Spec_Content struct {
	Inputs map[string]*Spec_Content_Input
}

// GetInputs returns the declared inputs.
func (c *Spec_Content) GetInputs() map[string]*Spec_Content_Input { return c.Inputs }

// Spec_Content_Input declares an input.
type Spec_Content_Input struct {
	Type      ValueType
	Default   *structpb.Value
	Sensitive bool
}

// RegisterStepRunnerServer does nothing. The arguments would be a gRPC server and the service.
func RegisterStepRunnerServer(any, any) {}
