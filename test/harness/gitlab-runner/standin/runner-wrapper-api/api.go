// Package api stands in for gitlab.com/gitlab-org/gitlab-runner/helpers/runner_wrapper/api, the gRPC interface by
// which something else manages a wrapped runner process.
//
// It belongs to the `wrapper` command alone, which this runner does not offer; no job passes through it.
package api

import (
	"context"
	"errors"
)

// ErrProcessNotInitialized says that there is no process to act on.
var ErrProcessNotInitialized = errors.New("process not initialized")

// Status is the state of the wrapped process.
type Status int

// The states of the wrapped process.
const (
	StatusUnknown Status = iota
	StatusRunning
	StatusInShutdown
	StatusStopped
)

// String names the status.
func (s Status) String() string {
	return [...]string{"unknown", "running", "in_shutdown", "stopped"}[s]
}

// ShutdownCallback is run when the wrapped process has ended.
type ShutdownCallback interface{ Run(context.Context) }

// ShutdownCallbackDef describes a callback.
type ShutdownCallbackDef interface {
	URL() string
	Method() string
}

// InitGracefulShutdownRequest asks for a graceful shutdown.
type InitGracefulShutdownRequest interface{ ShutdownCallbackDef() ShutdownCallbackDef }

// NewShutdownCallback returns no callback. The first argument would be a logger.
func NewShutdownCallback(any, ShutdownCallbackDef) ShutdownCallback { return nil }
