package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"podman-executor/internal/driver"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/pin"
	"podman-executor/pkg/podman"
)

// pinDir is the directory of the job's pinned volumes, empty where it has none:
// beside that of its auth file, which is removed with all that is in it.
func (s *preparation) pinDir() string {
	if len(s.grant.Mounts) == 0 || s.podman.URL != "" {
		return ""
	}
	return filepath.Join(s.pinParent(), filepath.Base(s.attempt))
}

func (s *preparation) pinParent() string { return filepath.Dir(s.authDir()) + "-volumes" }

// pinMounts mounts the sources of the job's volumes where no job can change what
// they are, and takes these mounts as the sources.
func (s *preparation) pinMounts(ctx context.Context) error {
	dir := s.pinDir()
	if dir == "" {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("pinning the job's volumes: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("pinning the job's volumes: %w", err)
	}
	if err := leftovers.Mark(dir, s.owner); err != nil {
		return err
	}
	args := []string{pin.Verb, dir}
	for i := range s.grant.Mounts {
		args = append(args, s.grant.Mounts[i].Source)
	}
	err = s.podman.Unshare(ctx, self, args...)
	var exit *podman.ExitError
	switch {
	case errors.As(err, &exit) && exit.Code == pin.ExitChanged:
		return &driver.Refusal{
			Err:  fmt.Errorf("pinning the job's volumes: %s", exit.Stderr),
			Todo: "somebody moved or replaced it in this moment; keep volumes where they are while jobs use them",
		}
	case err != nil:
		return &driver.Fault{
			Err:  fmt.Errorf("pinning the job's volumes: %w", err),
			Todo: fmt.Sprintf("check that gitlab-runner's user can read them, and `%s unshare true`", s.podman.Program),
		}
	}
	for i := range s.grant.Mounts {
		s.grant.Mounts[i].Source = pin.Place(dir, i)
	}
	return nil
}

// unpin undoes the pins in directories.
func (s *preparation) unpin(ctx context.Context, dirs ...string) error {
	if len(dirs) == 0 {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return s.podman.Unshare(ctx, self, append([]string{pin.UndoVerb}, dirs...)...)
}
