package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"podman-executor/internal/driver"
	"podman-executor/internal/plan"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
)

// givenFile is in the attempt's directory once the project was given away. The name is not that
// of another file there: see internal/leftovers.
const givenFile = "podman-executor-given"

// printOwner is a script that prints who runs it. Images need not have the program id.
const printOwner = `#!/bin/sh
while read -r key id _; do case $key in Uid:) uid=$id ;; Gid:) echo "podman-executor owner $uid:$id" ;; esac; done </proc/self/status
`

// owner is the line that printOwner prints. An entry point may print others.
var owner = regexp.MustCompile(`(?m)^podman-executor owner ([0-9]{1,10}:[0-9]{1,10})$`)

// maxSaid is how much of what a container prints is kept, in bytes.
const maxSaid = 64 << 10

// giveProject gives the project's files to the image's user before the first of the author's
// scripts, as the docker executor does with FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR (gitlab-runner
// executors/docker/docker_command.go:302). The user container says who that is: there, all of the
// policy holds. The runner container's user is root in podman's user namespace. If one of them
// cannot, the job goes on, as there.
func giveProject(ctx context.Context, call *driver.Call, p plan.Plan, pm *podman.Podman) error {
	mark, err := os.OpenFile(filepath.Join(call.Getenv("TMPDIR"), givenFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recording that the project has its owner: %w", err)
	}
	_ = mark.Close()
	user, err := output(ctx, call, p, pm, p.UserContainer, printOwner)
	if ctx.Err() != nil {
		return err
	}
	found := owner.FindStringSubmatch(user)
	if err == nil && found == nil {
		err = errors.New("the image's shell does not say who it is")
	}
	if err != nil {
		call.Warn("the project's files are not given to the image's user: %v", err)
		return nil
	}
	fmt.Fprintf(call.Stdout, "Changing ownership of files at %s to %s\n", driver.Printable(p.Sources.Project), found[1])
	_, err = output(ctx, call, p, pm, p.RunnerContainer, changeOwner(p.Sources.Project, found[1]))
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		call.Warn("the project's files could not be given to the user %s of the image: %v", found[1], err)
	}
	return nil
}

// output runs a script of the driver as a step in a container, and returns what it prints.
func output(ctx context.Context, call *driver.Call, p plan.Plan, pm *podman.Podman, container, script string) (string, error) {
	var said limited
	streams := podman.Streams{Stdin: step.Input([]byte(script), step.CleanNothing), Stdout: &said, Stderr: io.Discard}
	err := containerStep{podman: pm, plan: p, dir: call.Getenv("TMPDIR"), container: container}.run(ctx, streams)
	return said.String(), err
}

// limited keeps the first maxSaid bytes that are written to it.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), maxSaid-l.Len())])
	return len(p), nil
}

// changeOwner changes the owner of the project and of its temporary directory, and follows no
// links. chown of many files that it cannot change would say so of each.
func changeOwner(project, owner string) string {
	quoted := "'" + strings.ReplaceAll(project, "'", `'\''`) + "'"
	return "#!/bin/sh\nfor dir in " + quoted + " " + quoted + ".tmp; do [ ! -e \"$dir\" ] || chown -hRP -- " + owner + " \"$dir\" 2>/dev/null || exit; done\n"
}
