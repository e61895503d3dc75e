# shellcheck shell=sh
# Runs a step on the host, behind clean.sh.
#
# The arguments are a umask, a Clean (clean.go), the directory of builds, the project's
# directory, and the command.

[ ! "$2" ] || (clean_or_say "$2" "$3" "$4") || exit 1
# git does not use a repository above the project, and runs no program that the project's
# configuration names as its file system monitor. The GIT_CONFIG_COUNT of a job does not replace
# the variable of `git -c`.
export GIT_CEILING_DIRECTORIES="${4%/*}" GIT_CONFIG_PARAMETERS="'core.fsmonitor=false'"
umask "$1"
# If everybody has to write, a job of another image may have left files that only this user
# can open to others.
case $1,$2 in
0000,git | 0000,modules) chmod -R a+rwX "$4" 2>/dev/null ;;
esac
shift 4
exec "$@" </dev/null
