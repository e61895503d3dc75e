# shellcheck shell=sh
# Runs once in a container, before anything of a job.
#
# If the container's user is root, no other user can put a file into the tmpfs, list it, or
# enter its private directory. If not, the tmpfs belongs to root and chmod fails; but then
# only a setuid program can become another user.
# shellcheck disable=SC2034 # stub.sh reads closed

closed=
{ chmod 711 @DIR@ && closed=1; chmod 700 @PRIVATE@; } 2>/dev/null
