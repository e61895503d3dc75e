package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"podman-executor/internal/slurm"
	"podman-executor/pkg/podman"
)

// slurmFile exists while Slurm may have a job with that directory.
const slurmFile = "slurm"

// Begin records that Slurm is about to get a job with a directory; over removes the record.
func Begin(dir string) (over func(), err error) {
	file := filepath.Join(dir, slurmFile)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return nil, fmt.Errorf("recording that a Slurm job begins: %w", err)
	}
	return func() { _ = os.Remove(file) }, nil
}

// Remove removes the directory of a finished job. If a killed driver has left a job in Slurm,
// it cancels that first.
func Remove(ctx context.Context, dir string, s slurm.Slurm, pm *podman.Podman) error {
	var err error
	if _, missing := os.Lstat(filepath.Join(dir, slurmFile)); missing == nil {
		err = s.Cancel(ctx, dir)
	}
	if err = errors.Join(err, removeTree(ctx, dir, pm)); err != nil {
		return fmt.Errorf("removing the directory of a launched job: %w", err)
	}
	return nil
}

// A job that was just cancelled may still write to its directory for as long as all tries take.
// Each try removes what was written since the last.
const (
	removeTries = 100
	removePause = 100 * time.Millisecond
)

// removeTree removes a directory. Users of the job's image may have made directories in it that
// can only be removed in podman's user namespace.
func removeTree(ctx context.Context, dir string, pm *podman.Podman) (err error) {
	for range removeTries {
		if err = os.RemoveAll(dir); errors.Is(err, os.ErrPermission) {
			err = pm.RemoveTree(ctx, dir)
		}
		if _, gone := os.Lstat(dir); errors.Is(gone, os.ErrNotExist) {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(removePause):
		}
	}
	return err
}
