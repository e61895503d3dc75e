package main

import (
	"context"
	"fmt"
	"regexp"

	"podman-executor/internal/site"
	"podman-executor/internal/spec"
	"podman-executor/pkg/podman"
)

// printIDs is a script that prints UID:GID of the process that runs it. Images need not have the
// program id.
const printIDs = `while read -r key id _; do case $key in Uid:) uid=$id ;; Gid:) echo "$uid:$id" ;; esac; done </proc/self/status`

var ids = regexp.MustCompile(`\A[0-9]{1,10}:[0-9]{1,10}\n\z`)

// projectOwner returns the numbers, UID:GID, of the image's user if the project's files are to
// belong to that user, as the docker executor finds them out (gitlab-runner
// executors/docker/docker_command.go:302); empty if the files stay as they are.
func projectOwner(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, image podman.Image) (string, error) {
	if !spec.AsksForOwner(f, image) {
		return "", nil
	}
	probe := podman.Probe{Image: image.ID, Script: printIDs, Options: []string{"--network=none"}}
	if f.Grant.User != "" {
		probe.Options = append(probe.Options, "--user="+f.Grant.User)
	}
	said, err := pm.Probe(ctx, probe)
	if err == nil && !ids.MatchString(said) {
		err = fmt.Errorf("it printed %q", said)
	}
	if err != nil {
		return "", site.Judge(fmt.Errorf("finding out the user of the job's image (FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR): %w", err),
			"", runAsRunner(pm, "run --rm "+shortID(image.ID)+" true"))
	}
	return said[:len(said)-1], nil
}
