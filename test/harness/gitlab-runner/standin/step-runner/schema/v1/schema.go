// Package schema stands in for gitlab.com/gitlab-org/step-runner/schema/v1, the syntax of the `run:` keyword of a job.
//
// A job with `run:` passes through it, whatever the executor: for the custom executor the runner decodes the steps and
// encodes them again, into the variable STEPS that `step-runner ci` reads inside the job's container. So a Step keeps
// the JSON that it was decoded from and gives back the same; what is inside is not checked.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
)

// StepInputs are the values given to a step.
type StepInputs map[string]any

// Step is one step of a job. The fields are those that the runner sets in steps of its own making.
type Step struct {
	Name   *string    `json:"name,omitempty" yaml:"name,omitempty"`
	Step   any        `json:"step,omitempty" yaml:"step,omitempty"`
	Script *string    `json:"script,omitempty" yaml:"script,omitempty"`
	Inputs StepInputs `json:"inputs,omitempty" yaml:"inputs,omitempty"`
	Run    []Step     `json:"run,omitempty" yaml:"run,omitempty"`

	raw json.RawMessage
}

// UnmarshalJSON keeps the JSON of the step.
func (s *Step) UnmarshalJSON(data []byte) error {
	if data = bytes.TrimSpace(data); data[0] != '{' {
		return errors.New("step: want an object")
	}
	s.raw = bytes.Clone(data)
	return nil
}

// MarshalJSON gives back the JSON that the step was decoded from, if it was.
func (s Step) MarshalJSON() ([]byte, error) {
	if s.raw != nil {
		return s.raw, nil
	}
	type plain Step
	return json.Marshal(plain(s))
}
