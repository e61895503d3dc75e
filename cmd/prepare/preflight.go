package main

import (
	"context"
	"errors"
	"fmt"

	"podman-executor/internal/driver"
	"podman-executor/internal/preflight"
	"podman-executor/pkg/podman"
)

// checkHost ends a job that this machine cannot run before anything is done for it.
// It runs no command. Warnings are for the administrator's log: a job's author can
// do nothing about them.
func (s *preparation) checkHost() error {
	general := s.policy.General
	if general.DataDir != "" && general.MinFreeSpace > 0 {
		if err := s.checkFree(general.DataDir); err != nil {
			return err
		}
	}
	if general.Podman.UsesEndpoint() {
		return nil
	}
	return s.report(preflight.Host(s.podman.Getenv, preflight.CurrentUser())...)
}

// report turns the first error among results into one that ends the job, and logs
// the warnings.
func (s *preparation) report(results ...preflight.Result) error {
	for _, r := range results {
		switch r.Level {
		case preflight.Error:
			return &driver.Fault{Err: errors.New(r.Detail), Todo: r.Cure}
		case preflight.Warning:
			s.log.WithField("cure", r.Cure).Warn(r.Check + ": " + r.Detail)
		}
	}
	return nil
}

// checkSpace looks, where the policy asks for it, whether podman's storage has room.
func (s *preparation) checkSpace(ctx context.Context) error {
	if s.policy.General.MinFreeSpace == 0 || s.policy.General.Podman.UsesEndpoint() {
		return nil
	}
	info, err := s.askInfo(ctx)
	if err != nil {
		return err
	}
	return s.checkFree(info.GraphRoot)
}

func (s *preparation) checkFree(dir string) error {
	free, err := preflight.Free(dir)
	if err != nil {
		return &driver.Fault{Err: err, Todo: "make " + dir + " readable for the user that gitlab-runner runs as"}
	}
	r := preflight.Space(dir, free, int64(s.policy.General.MinFreeSpace))
	if r.Cure != "" {
		r.Cure += fmt.Sprintf("; or ask for less by %s:%d: general.min_free_space", s.policy.File(), s.policy.Line("general.min_free_space"))
	}
	return s.report(r)
}

// askInfo asks podman about the machine, once a job.
func (s *preparation) askInfo(ctx context.Context) (podman.Info, error) {
	if s.info == nil {
		info, err := s.podman.Info(ctx)
		if err != nil {
			return info, &driver.Fault{Err: err, Todo: "run `" + s.podman.Program + " info` as the user that gitlab-runner runs as"}
		}
		s.info = &info
	}
	return *s.info, nil
}

// lacksID is the error of an image with a file of a user that containers do not
// have here. A range of the usual size is the administrator's to give; beyond it,
// the image is the odd one.
func (s *preparation) lacksID(err error, id int64, own bool) error {
	ids := preflight.ReadSubIDs(preflight.CurrentUser(), false)
	if own || id <= preflight.LastID {
		return &driver.Fault{Err: err, Todo: ids.Enlarge(max(id, preflight.LastID))}
	}
	return &driver.Refusal{Err: err, Todo: ids.Authors(id)}
}
