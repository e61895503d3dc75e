// Package extended stands in for gitlab.com/gitlab-org/step-runner/pkg/api/client/extended, the client of a
// step-runner.
//
// Only native steps use it, which the custom executor does not offer; no job of it passes through here. A job that
// asks the docker or shell executor for native steps fails with ErrNotBuiltIn.
package extended

import (
	"context"
	"errors"
	"io"

	"gitlab.com/gitlab-org/step-runner/pkg/api/client"
)

// ErrNotBuiltIn is what every operation here ends in.
var ErrNotBuiltIn = errors.New("native steps are not built in")

// FollowOutput says where the output of a job goes.
type FollowOutput struct{ Logs io.Writer }

// Client would talk to a step-runner. None can be made.
type Client struct{}

// New refuses. The argument would make the connection.
func New(any) (*Client, error) { return nil, ErrNotBuiltIn }

// RunAndFollow refuses.
func (*Client) RunAndFollow(context.Context, *client.RunRequest, *FollowOutput) (client.Status, error) {
	return client.Status{}, ErrNotBuiltIn
}

// Cancel refuses.
func (*Client) Cancel(context.Context, string) error { return ErrNotBuiltIn }

// CloseConn does nothing.
func (*Client) CloseConn() error { return nil }
