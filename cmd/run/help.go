package main

// help is what --help prints.
const help = `Usage:
    podman-executor-run [--policy FILE] SCRIPT STEP

gitlab-runner calls podman-executor-run once for each step of a job: it runs the
file SCRIPT in the container that STEP belongs to. Set it as run_exec in
[runners.custom] of config.toml.

Options:
    --policy FILE                 Accepted, as by the other programs, and not
                                  read: run goes by what prepare decided.
    --version                     Print name, version and commit.

Example, in config.toml:
    [runners.custom]
      run_exec = "/usr/libexec/podman-executor/run"
`
