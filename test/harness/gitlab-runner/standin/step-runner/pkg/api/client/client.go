// Package client stands in for gitlab.com/gitlab-org/step-runner/pkg/api/client, the terms of talking to a step-runner.
//
// Only native steps use it, which the custom executor does not offer; no job of it passes through here.
package client

import "time"

// State is the state of a job in a step-runner.
type State int

// The states of a job.
const (
	StateUnspecified State = iota
	StateRunning
	StateSuccess
	StateFailure
	StateCancelled
)

// String names the state.
func (s State) String() string {
	return [...]string{"unspecified", "running", "success", "failure", "cancelled"}[s]
}

// ErrorKind is why a job did not succeed.
type ErrorKind int

// The reasons for which a job does not succeed.
const (
	ErrorNone ErrorKind = iota
	ErrorUnknown
	ErrorInternal
	ErrorStepFailure
	ErrorCancelled
	ErrorTimeout
)

// Status is the outcome of a job.
type Status struct {
	State     State
	Message   string
	ErrorKind ErrorKind
}

// Variable is one variable of a job.
type Variable struct {
	Key    string
	Value  string
	File   bool
	Masked bool
}

// RunRequest asks a step-runner to run steps.
type RunRequest struct {
	Id        string
	Timeout   *time.Duration
	WorkDir   string
	BuildDir  string
	Env       map[string]string
	Steps     string
	Variables []Variable
}
