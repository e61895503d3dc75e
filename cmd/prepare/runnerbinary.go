package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"podman-executor/internal/driver"
	"podman-executor/internal/handover"
	"podman-executor/internal/step"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// runnerProgram is the name by which the runner's scripts call for artifacts and
// caches (gitlab-runner executors/custom/custom.go:405). Where it is missing,
// they do nothing, and the job passes (shells/abstract.go:211).
const runnerProgram = "gitlab-runner"

// hostRunner returns the gitlab-runner of this host that the runner container
// gets; empty where its image's own is to do.
func (s *preparation) hostRunner() (string, error) {
	pm := s.policy.General.Podman
	switch {
	case s.runnerName == "" || pm.RunnerBinary == policy.NoRunnerBinary:
		return "", nil
	case pm.RunnerBinary == "":
		return s.callingRunner(), nil
	}
	info, err := os.Stat(pm.RunnerBinary)
	if err == nil && (!info.Mode().IsRegular() || info.Mode()&0o111 == 0) {
		err = errors.New("it is no program")
	}
	if err != nil {
		return "", &driver.Fault{
			Err:  fmt.Errorf("looking for runner_binary: %w", err),
			Hint: fmt.Sprintf("mend %s:%d: general.podman.runner_binary, or remove it", s.policy.File(), s.policy.Line("general.podman.runner_binary")),
		}
	}
	return pm.RunnerBinary, nil
}

// callingRunner returns the gitlab-runner that called this program, where any
// image can run it and podman, on this machine and as this user, can mount it.
func (s *preparation) callingRunner() string {
	if s.podman.URL != "" {
		return ""
	}
	runner := s.runningProgram()
	if strings.Contains(runner, ":") || !isStatic(runner) {
		return ""
	}
	return runner
}

// runningProgram returns the file of the gitlab-runner that called this program,
// empty where something else did, or where the file is there no more, or somebody else
// could replace it.
func (s *preparation) runningProgram() string {
	file, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", s.owner.PID))
	if err != nil || !strings.HasPrefix(filepath.Base(file), runnerProgram) {
		return ""
	}
	if _, err := os.Stat(file); err != nil {
		return ""
	}
	if err := trust.Path(file, trust.Self()); err != nil {
		s.log.WithError(err).WithField("cure", trust.Hint(err)).Warn("jobs do not get the gitlab-runner of this host, which cannot be trusted")
		return ""
	}
	return file
}

// isStatic tells whether a program needs nothing of the system that it runs on.
func isStatic(file string) bool {
	program, err := elf.Open(file)
	if err != nil {
		return false
	}
	defer program.Close()
	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}

// runnerMount is the volume that brings the host's gitlab-runner into the runner
// container, in front of the image's own.
func runnerMount(file string, image podman.Image) string {
	dir := "/usr/local/bin"
	if image.Config.Path != "" {
		dir = firstDirectory(image.Config.Path, dir)
	}
	return file + ":" + path.Join(dir, runnerProgram) + ":ro"
}

// firstDirectory returns the place on a PATH that comes before all others: the
// preferred one where nothing of the image's can be in front of it.
func firstDirectory(search, preferred string) string {
	for dir := range strings.SplitSeq(search, ":") {
		switch {
		case dir == "/usr/local/sbin":
			// The usual PATH begins with it; images have no programs there.
		case path.IsAbs(dir) && path.Clean(dir) == dir && dir != "/":
			return dir
		}
	}
	return preferred
}

// warnWithoutRunner tells the job's author, before the job, that artifacts and
// caches will do nothing, where that is so: the runner's scripts mention it in
// passing, and the job passes.
func (s *preparation) warnWithoutRunner(ctx context.Context, hostRunner string) error {
	if hostRunner != "" || !s.job.MovesFiles {
		return nil
	}
	has, where := false, "this host"
	if s.runnerName == "" {
		has = hasProgram(s.hostEnv())
	} else {
		where = "the runner image " + s.grant.RunnerImage.String()
		var err error
		if has, err = s.imageHasRunner(ctx); err != nil {
			return err
		}
	}
	if !has {
		s.call.Warn("%s has no gitlab-runner: artifacts, caches and dependencies of this job will do nothing; the administrator can put one there, or set general.podman.runner_binary in %s", where, s.policy.File())
	}
	return nil
}

// imageHasRunner asks the runner container itself, in the way that a step of the
// runner's would find it.
func (s *preparation) imageHasRunner(ctx context.Context) (bool, error) {
	const missing = 3
	script := fmt.Sprintf("#!/usr/bin/env bash\n%s --version >/dev/null 2>&1 || exit %d\n", runnerProgram, missing)
	var said strings.Builder
	err := s.runInRunner(ctx, podman.Streams{Stdin: step.Input([]byte(script), step.CleanNothing), Stdout: io.Discard, Stderr: &said})
	var started *podman.ExitError
	var handed *handover.StepError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &started) && started.Code == missing, errors.As(err, &handed) && handed.Code == missing:
		return false, nil
	}
	return false, &driver.Fault{
		Err:  fmt.Errorf("starting the runner container: %w: %s", err, oneLine(said.String())),
		Hint: fmt.Sprintf("check runner_image, runner_options and runner_entry_point in %s: the image must hold bash", s.policy.File()),
	}
}

// oneLine is what podman has said, in one line.
func oneLine(said string) string {
	return strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(said), "Error: "), "\n", "; ")
}

// hasProgram tells whether steps on the host find a gitlab-runner on their PATH.
func hasProgram(env []string) bool {
	for _, v := range env {
		search, ok := strings.CutPrefix(v, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(search) {
			info, err := os.Stat(filepath.Join(dir, runnerProgram))
			if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return true
			}
		}
	}
	return false
}
