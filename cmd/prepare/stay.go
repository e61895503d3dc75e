package main

import (
	"os"
	"path/filepath"

	"podman-executor/internal/driver"
	"podman-executor/internal/handover"
	"podman-executor/internal/leftovers"
)

// stepsDir is the directory by which the runner container gets its steps, empty where
// it does not stay from step to step.
func (s *preparation) stepsDir() string {
	if s.runnerName == "" || s.podman.URL != "" || s.grant.RunnerContainer.Memory > 0 || s.grant.RunnerContainer.Runtime != "" {
		return ""
	}
	return filepath.Join(s.authDir()+"-steps", "pipes")
}

// makeStepsDir makes that directory.
func (s *preparation) makeStepsDir() error {
	dir := s.stepsDir()
	if dir == "" {
		return nil
	}
	parent := filepath.Dir(dir)
	err := os.MkdirAll(parent, 0o700)
	if err == nil {
		err = leftovers.Mark(parent, s.owner, s.attempt)
	}
	if err == nil {
		err = handover.Make(dir)
	}
	if err != nil {
		return &driver.Fault{Err: err, Todo: "give gitlab-runner's user a runtime directory: `loginctl enable-linger USER`, or set XDG_RUNTIME_DIR in its environment"}
	}
	return nil
}
