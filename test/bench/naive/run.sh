#!/bin/sh
# Runs one script of a job: the job's own in its image, those of gitlab-runner in an image with git and
# gitlab-runner, on the host's network. The builds are in a volume that all jobs share.
#
# usage: run.sh SCRIPT STEP
set -u
case $2 in
step_* | build_script | after_script) image=$CUSTOM_ENV_CI_JOB_IMAGE network= ;;
*) image=localhost/podman-executor/runner:latest network=--network=host ;;
esac
podman run --rm --interactive --name "naive-$CUSTOM_ENV_CI_JOB_ID" $network \
	--volume naive-builds:/builds --volume naive-cache:/cache "$image" bash <"$1" || exit "$BUILD_FAILURE_EXIT_CODE"
