package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"podman-executor/internal/handover"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
)

// stays tells whether the job's containers stay from step to step: a podman elsewhere
// has other files, and another runtime may have another kernel, which pipes do not
// reach.
func (s *preparation) stays() bool {
	pm := s.policy.General.Podman
	ofRuntime := func(option string) bool { return strings.HasPrefix(option, "--runtime") }
	otherRuntime := s.grant.RunnerContainer.Runtime != "" || s.grant.Container.Runtime != "" ||
		slices.ContainsFunc(slices.Concat(pm.RunnerOptions, pm.CustomOptions), ofRuntime)
	return !pm.StartPerStep && s.podman.URL == "" && !otherRuntime && !s.launches()
}

// stepsDirs are the directories by which the job's containers get their steps.
func (s *preparation) stepsDirs() map[string]string {
	if !s.stays() {
		return nil
	}
	dirs := map[string]string{s.userName: filepath.Join(s.authDir(), "steps", "user")}
	if s.runnerName != "" {
		dirs[s.runnerName] = filepath.Join(s.authDir(), "steps", "runner")
	}
	return dirs
}

// stay makes a container one that stays, where it can.
func (s *preparation) stay(c *podman.Create, where step.Where, entry step.EntryPoint) {
	dir, ok := s.stepsDirs()[c.Name]
	if !ok {
		return
	}
	c.Detached, c.Volumes = true, append(c.Volumes, dir+":"+handover.Pipes+":ro,z")
	c.Command = handover.Command(where, entry, s.sources(), s.openDirectories()...)
}

// makeStepsDirs makes those directories. The one around them is closed to all but this
// user.
func (s *preparation) makeStepsDirs() error {
	for _, dir := range s.stepsDirs() {
		// An earlier try at this job may have left one.
		if err := errors.Join(os.RemoveAll(dir), handover.Make(dir)); err != nil {
			return runtimeDirFault(err)
		}
	}
	return nil
}

// runInRunner runs a script in the runner container.
func (s *preparation) runInRunner(ctx context.Context, streams podman.Streams) error {
	if dir, ok := s.stepsDirs()[s.runnerName]; ok {
		return handover.Container{Podman: s.podman, Name: s.runnerName, Dir: dir, Grace: grace}.Run(ctx, streams)
	}
	return s.podman.Start(ctx, s.runnerName, streams, grace)
}
