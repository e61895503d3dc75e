package main

// help is what --help prints.
const help = `Usage:
    podman-executor-cleanup
    podman-executor-cleanup [--dry-run] [--policy FILE] CLEANUP...

gitlab-runner calls podman-executor-cleanup after each job to remove what
prepare created for it: set it as cleanup_exec in [runners.custom] of
config.toml.

With CLEANUP options it removes what jobs no longer need: run it by hand or from
a timer, as gitlab-runner's user. This is safe while jobs run. Without
--all-images it removes only what podman-executor created or pulled.

CLEANUP options (at least one):
    --orphans                     Remove containers, networks, podman secrets
                                  and directories that finished jobs left
                                  behind, and files that pulls left in
                                  podman's TMPDIR.
    --builds-older-than DURATION  Remove builds that no job has used for
                                  DURATION.
    --images-unused-for DURATION  Remove images that were pulled for jobs and
                                  that no job has used for DURATION. 0 removes
                                  all that no job is using now.
    --cache-larger-than SIZE      Remove the least recently used caches and
                                  volumes of projects until they take at most
                                  SIZE in total.
    --storage-below PERCENT       If the file system of podman's storage is
                                  fuller than PERCENT, remove images, then
                                  builds and caches, least recently used first,
                                  until it is not.
    --open-repository REPOSITORY  Let every project use the local images of
                                  REPOSITORY without asking the registry. "all"
                                  means all repositories. May be repeated. With
                                  --dry-run, list the projects that may use
                                  them.

Options:
    --all-images                  With --images-unused-for and --storage-below,
                                  also remove images that prepare did not pull.
                                  If no job has used one, its age counts from
                                  the first cleanup that saw it.
    --dry-run                     Print what would be removed, and remove
                                  nothing.
    --policy FILE                 Read the policy from FILE.
    --version                     Print name, version and commit.

DURATION is a number with a unit: 12h, 30d. SIZE is a number with b, k, m, g or
t: 20g. PERCENT is from 1 to 99. A table of what was removed is printed to
standard output. The exit status is 0 if everything worked, else 1.

Example:
    $ podman-executor-cleanup --orphans --builds-older-than 30d \
          --cache-larger-than 50g --images-unused-for 30d --dry-run
`
