package pin

import (
	"context"
	"fmt"
	"os"

	"podman-executor/pkg/podman"
)

// Do pins sources in an existing directory. It calls this program in podman's namespace, so its
// Reexec must be [Main]. If a source has changed, the error is a *[podman.ExitError] with
// [ExitChanged].
func Do(ctx context.Context, p *podman.Podman, dir string, sources []string) error {
	return call(ctx, p, append([]string{Verb, dir}, sources...))
}

// Undo undoes what Do did, and removes the directory. Without the directory there
// is nothing to do.
func Undo(ctx context.Context, p *podman.Podman, dir string) error {
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return nil
	}
	return call(ctx, p, []string{UndoVerb, dir})
}

func call(ctx context.Context, p *podman.Podman, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	return p.RunInNamespace(ctx, self, args...)
}
