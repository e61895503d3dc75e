package housekeeping

import (
	"context"
	"errors"
	"os"
	"strings"

	"podman-executor/internal/job"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/secret"
)

// removeOrphans removes what jobs that are over have left. gitlab-runner makes its directories
// in its TMPDIR, which is assumed to be the same as this program's.
func (k *keeper) removeOrphans(ctx context.Context, t target) ([]row, error) {
	places := leftovers.Roots{
		TempDir: k.call.Getenv("TMPDIR"), RuntimeDir: job.RuntimeDir(t.podman.Getenv), SecretsDir: secret.Parent(k.stateDir()),
	}
	// A podman service on this machine is this user's, and has the same default.
	if t.endpoint == "" || strings.HasPrefix(t.endpoint, "unix://") {
		places.PullDir = t.podman.Getenv("TMPDIR")
	}
	if places.TempDir == "" {
		places.TempDir = os.TempDir()
	}
	orphans, err := leftovers.Find(ctx, t.podman, t.endpoint, places, k.now)
	problems := []error{err}
	var rows []row
	for _, o := range orphans {
		if !k.options.DryRun {
			if err := o.Remove(ctx, t.podman); err != nil {
				problems = append(problems, err)
				continue
			}
			k.log.Warn("removed a leftover: " + o.Kind + " " + o.Name + ": " + o.Reason)
		}
		rows = append(rows, row{
			kind: o.Kind, name: o.Name, job: o.Job, project: o.Project,
			owner: ownerInShort(o.Owner), reason: o.Reason, age: age(k.now.Sub(o.Made)),
		})
	}
	return rows, errors.Join(problems...)
}
