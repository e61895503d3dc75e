package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"podman-executor/internal/driver"
	"podman-executor/internal/plan"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
)

// givenFile is in the attempt's directory once the project was given away. The name is no other
// file's there: see internal/leftovers.
const givenFile = "podman-executor-given"

// giveProject gives the project's files to the image's user before the first of the author's
// scripts, as the docker executor does with FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR (gitlab-runner
// executors/docker/docker_command.go:302). The runner container's user is root in podman's user
// namespace. If it cannot, the job goes on, as there.
func giveProject(ctx context.Context, call *driver.Call, p plan.Plan, pm *podman.Podman) error {
	mark, err := os.OpenFile(filepath.Join(call.Getenv("TMPDIR"), givenFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recording that the project has its owner: %w", err)
	}
	_ = mark.Close()
	fmt.Fprintf(call.Stdout, "Changing ownership of files at %s to %s\n", driver.Printable(p.Sources.Project), p.Owner)
	var said strings.Builder
	streams := podman.Streams{Stdin: step.Input(ownerScript(p.Sources.Project, p.Owner), step.CleanNothing), Stdout: io.Discard, Stderr: &said}
	err = containerStep{podman: pm, plan: p, dir: call.Getenv("TMPDIR"), container: p.RunnerContainer}.run(ctx, streams)
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		call.Warn("the project's files could not be given to the user %s of the image: %v: %s", p.Owner, err, strings.TrimSpace(said.String()))
	}
	return nil
}

// ownerScript changes the owner of the project and of its temporary directory, and follows no
// links.
func ownerScript(project, owner string) []byte {
	quoted := "'" + strings.ReplaceAll(project, "'", `'\''`) + "'"
	return []byte("#!/bin/sh\nfor dir in " + quoted + " " + quoted + ".tmp; do [ ! -e \"$dir\" ] || chown -hRP -- " + owner + " \"$dir\" || exit; done\n")
}
