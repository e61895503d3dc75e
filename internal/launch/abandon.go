package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"podman-executor/internal/slurm"
)

// slurmFile names the job of Slurm's that is under way, in a job's directory.
const slurmFile = "slurm"

// Begin records that a job of Slurm's of that name is under way; over forgets it.
func Begin(dir, name string) (over func(), err error) {
	file := filepath.Join(dir, slurmFile)
	if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
		return nil, fmt.Errorf("recording the name of a Slurm job: %w", err)
	}
	return func() { _ = os.Remove(file) }, nil
}

// Remove removes the directory of a job that is over, and cancels the job of Slurm's that a
// driver which was killed has left.
func Remove(ctx context.Context, dir string, s slurm.Slurm) error {
	name, err := os.ReadFile(filepath.Join(dir, slurmFile))
	if err == nil {
		err = s.CancelNamed(ctx, string(name))
	}
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return fmt.Errorf("removing the directory of a launched job: %w", err)
	}
	return nil
}
