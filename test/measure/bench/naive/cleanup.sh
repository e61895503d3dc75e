#!/bin/sh
# Removes what is left of a job that was stopped.
podman rm --force --ignore --time 0 "naive-$CUSTOM_ENV_CI_JOB_ID" >&2
