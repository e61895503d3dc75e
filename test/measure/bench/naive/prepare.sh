#!/bin/sh
# Pulls the images of a job that are not here.
set -eu
for image in "$CUSTOM_ENV_CI_JOB_IMAGE" localhost/podman-executor/runner:latest; do
	podman image exists "$image" || podman pull --quiet "$image" || exit "$SYSTEM_FAILURE_EXIT_CODE"
done
