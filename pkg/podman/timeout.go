package podman

import (
	"context"
	"fmt"
	"time"
)

// Timeouts bound podman's commands; 0: no bound.
type Timeouts struct {
	// Pull is for `image pull`.
	Pull time.Duration `json:"pull,omitempty"`
	// Command is for everything else. `start --attach` takes as long as the container runs, so
	// there it only bounds the time until the container runs, see [Podman.Start].
	Command time.Duration `json:"command,omitempty"`
}

// TimeoutError is a podman command that was stopped because it took too long.
type TimeoutError struct {
	// Verb is the command, such as "image pull".
	Verb string
	// Limit is the bound that it exceeded.
	Limit time.Duration
}

// Error returns the verb and the bound.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("podman %s: stopped because it took longer than %s", e.Verb, e.Limit)
}

// IsPull reports whether Timeouts.Pull was exceeded, not Timeouts.Command.
func (e *TimeoutError) IsPull() bool { return e.Verb == pullVerb }

const pullVerb = "image pull"

// limit returns the bound of a command.
func (t Timeouts) limit(verb string) time.Duration {
	if verb == pullVerb {
		return t.Pull
	}
	return t.Command
}

// patient returns the same podman without timeouts, for work of unknown length that must not be
// stopped halfway.
func (p *Podman) patient() *Podman {
	patient := *p
	patient.Timeouts = Timeouts{}
	return &patient
}

// bound returns a context that ends when the command's timeout is over. Its cause is a
// *[TimeoutError] then, which distinguishes this from the end of the caller's context.
func (p *Podman) bound(ctx context.Context, args []string) (context.Context, context.CancelFunc) {
	name := verb(args)
	limit := p.Timeouts.limit(name)
	if limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, &TimeoutError{Verb: name, Limit: limit})
}
