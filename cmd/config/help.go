package main

// help is what --help prints.
const help = `Usage:
    podman-executor-config [--policy FILE]
    podman-executor-config --doctor [--policy FILE]

gitlab-runner calls podman-executor-config to learn where jobs build: set it as
config_exec in [runners.custom] of config.toml. With --doctor it checks whether
jobs can run on this machine.

Options:
    --doctor                      Check this machine and print one line per
                                  check.
    --policy FILE                 Read the policy from FILE.
    --version                     Print name, version and commit.

Without --policy the policy is the file named by $PODMAN_EXECUTOR_POLICY, else
/etc/podman-executor/policy.toml, else
$XDG_CONFIG_HOME/podman-executor/policy.toml (~/.config by default).

Run --doctor as gitlab-runner's user. The exit status is 0 if jobs can run: a
container of every image named in the policy was started. Warnings do not change
the exit status.

Example:
    $ sudo -u gitlab-runner -H podman-executor-config --doctor
`
