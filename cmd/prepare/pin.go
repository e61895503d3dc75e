package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"podman-executor/internal/driver"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/pin"
	"podman-executor/internal/secret"
	"podman-executor/internal/site"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
)

// pinDir is the directory of the job's pinned volumes, empty where it has none:
// beside that of its auth file, which is removed with all that is in it.
func (s *preparation) pinDir() string {
	if len(s.grant.Mounts) == 0 || s.podman.URL != "" {
		return ""
	}
	return filepath.Join(s.places().PinParent(), filepath.Base(s.attempt))
}

// places are where jobs have directories.
func (s *preparation) places() leftovers.Roots {
	return leftovers.Roots{
		TempDir: filepath.Dir(s.attempt), RuntimeDir: filepath.Dir(s.authDir()), SecretsDir: secret.Parent(site.StateDir(s.call, s.policy)),
	}
}

// pinMounts mounts the sources of the job's volumes where no job can change what
// they are, and takes these mounts as the sources.
func (s *preparation) pinMounts(ctx context.Context) error {
	dir := s.pinDir()
	if dir == "" {
		return nil
	}
	if err := trust.MakeDir(dir, trust.Self()); err != nil {
		return fmt.Errorf("pinning the job's volumes: %w", err)
	}
	if err := leftovers.Mark(dir, s.owner, s.attempt); err != nil {
		return err
	}
	sources := make([]string, len(s.grant.Mounts))
	for i := range sources {
		sources[i] = s.grant.Mounts[i].Source
	}
	err := pin.Do(ctx, s.podman, dir, sources)
	var exit *podman.ExitError
	switch {
	case errors.As(err, &exit) && exit.Code == pin.ExitChanged:
		return &driver.Refusal{
			Err:  fmt.Errorf("pinning the job's volumes: %s", exit.Stderr),
			Hint: "somebody moved or replaced it in this moment; keep volumes where they are while jobs use them",
		}
	case err != nil:
		return &driver.Fault{
			Err:  fmt.Errorf("pinning the job's volumes: %w", err),
			Hint: fmt.Sprintf("check that gitlab-runner's user can read them, and `%s unshare true`", s.podman.Program),
		}
	}
	for i := range s.grant.Mounts {
		s.grant.Mounts[i].Source = pin.Target(dir, i)
	}
	return nil
}
