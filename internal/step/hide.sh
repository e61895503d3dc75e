# shellcheck shell=sh
# Runs once in a container, before anything of a job.
#
# If the container's user is root, no other user can put a file into the tmpfs, list it, or
# enter its private directory. If not, the tmpfs belongs to root and chmod fails; but then
# only a setuid program can become another user.

{ chmod 711 @DIR@; chmod 700 @PRIVATE@; } 2>/dev/null
