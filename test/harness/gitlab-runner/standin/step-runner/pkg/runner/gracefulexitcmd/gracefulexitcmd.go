// Package gracefulexitcmd stands in for gitlab.com/gitlab-org/step-runner/pkg/runner/gracefulexitcmd, commands that are
// asked to end before they are killed.
//
// Only native steps use it, which the custom executor does not offer; no job of it passes through here.
package gracefulexitcmd

import (
	"context"
	"errors"
	"os/exec"
	"time"
)

// ErrNotBuiltIn is what running a command from here ends in.
var ErrNotBuiltIn = errors.New("native steps are not built in")

// New returns a command that refuses to run.
func New(ctx context.Context, _ time.Duration, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Err = ErrNotBuiltIn
	return cmd
}
