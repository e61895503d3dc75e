package main

// help is what --help prints.
const help = `Usage:
    podman-executor-prepare [--policy FILE]

gitlab-runner calls podman-executor-prepare before each job to pull the job's
images and create its containers: set it as prepare_exec in [runners.custom] of
config.toml.

Options:
    --policy FILE                 Read the policy from FILE.
    --version                     Print name, version and commit.

Example, in config.toml:
    [runners.custom]
      prepare_exec = "/usr/libexec/podman-executor/prepare"
      prepare_args = ["--policy", "/etc/podman-executor/other.toml"]
`
