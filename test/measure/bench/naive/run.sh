#!/bin/sh
# Runs one script of a job: the job's own in its image, those of gitlab-runner in an image with git and
# gitlab-runner, on the host's network. The builds are in a volume that all jobs of a slot share: podman 4.3 may hang for
# good where containers with the same volume begin and end at once.
#
# usage: run.sh SCRIPT STEP
set -u
case $2 in
step_* | build_script | after_script) image=$CUSTOM_ENV_CI_JOB_IMAGE network= ;;
*) image=localhost/podman-executor/runner:latest network=--network=host ;;
esac
slot=$CUSTOM_ENV_CI_RUNNER_SHORT_TOKEN-$CUSTOM_ENV_CI_CONCURRENT_ID
podman run --rm --interactive --name "naive-$CUSTOM_ENV_CI_JOB_ID" $network \
	--volume "naive-$slot-builds:/builds" --volume "naive-$slot-cache:/cache" "$image" bash <"$1" || exit "$BUILD_FAILURE_EXIT_CODE"
