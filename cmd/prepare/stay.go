package main

import (
	"context"
	"os"
	"path/filepath"

	"podman-executor/internal/handover"
	"podman-executor/pkg/podman"
)

// stepsDir is the directory by which the runner container gets its steps, empty where
// it does not stay from step to step: a podman elsewhere has other files, and another
// runtime may have another kernel, which pipes do not reach.
func (s *preparation) stepsDir() string {
	pm := s.policy.General.Podman
	if s.runnerName == "" || pm.RunnerPerStep || s.podman.URL != "" || s.grant.RunnerContainer.Runtime != "" {
		return ""
	}
	return filepath.Join(s.authDir(), "steps")
}

// makeStepsDir makes that directory. The one around it is closed to all but this user.
func (s *preparation) makeStepsDir() error {
	dir := s.stepsDir()
	if dir == "" {
		return nil
	}
	// An earlier try at this job may have left one.
	err := os.RemoveAll(dir)
	if err == nil {
		err = handover.Make(dir)
	}
	if err != nil {
		return runtimeDirFault(err)
	}
	return nil
}

// runInRunner runs a script in the runner container.
func (s *preparation) runInRunner(ctx context.Context, streams podman.Streams) error {
	if dir := s.stepsDir(); dir != "" {
		return handover.Container{Podman: s.podman, Name: s.runnerName, Dir: dir, Grace: grace}.Run(ctx, streams)
	}
	return s.podman.Start(ctx, s.runnerName, streams, grace)
}
