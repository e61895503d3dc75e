# shellcheck shell=sh
# Runs a step on the host, behind clean.sh.
#
# The arguments are a umask, a Clean (clean.go), the directory of builds, the project's
# directory, and the command.

umask=$1 clean=$2 root=$3 project=$4
shift 4
[ ! "$clean" ] || clean_or_say "$clean" "$root" "$project" || exit 1
# git does not use a repository above the project, and runs no program that the project's
# configuration names as its file system monitor.
export GIT_CEILING_DIRECTORIES="${project%/*}"
[ "$GIT_CONFIG_COUNT" ] || export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.fsmonitor GIT_CONFIG_VALUE_0=false
umask "$umask"
# If everybody has to write, a job of another image may have left files that only this user
# can open to others.
case $umask,$clean in
0000,git | 0000,modules) chmod -R a+rwX "$project" 2>/dev/null ;;
esac
exec "$@" </dev/null
