# shellcheck shell=bash disable=SC2034 # what is set here is used where this is sourced
# Names and small functions that the scripts of this folder share. Sourced, never run.

shopt -s inherit_errexit

# Exists only on machines where root runs the tests. A second one, for tests of users with fewer ids, has another name, home and
# storage.
test_user=${PODMAN_EXECUTOR_TEST_USER:-podman-executor-test}
subids=${PODMAN_EXECUTOR_TEST_IDS:-65539} # 65536 for a nested podman, and three for its users

run_as=user # root: test/harness/host/run --as-root

if ((EUID == 0)); then
	cache=${PODMAN_EXECUTOR_TEST_CACHE:-/var/cache/podman-executor-test}
	state=/var/lib/$test_user
	volatile=/run/$test_user
else
	cache=${PODMAN_EXECUTOR_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/podman-executor-test}
	state=$cache
	volatile=${XDG_RUNTIME_DIR:-/tmp}/pe-test-$EUID
	if ((${#volatile} > 35)); then
		volatile=/tmp/pe-test-$EUID # see setup.bash: podman wants a short runroot
	fi
	test_user=$(id -un)
fi
user_home=$state/home                      # HOME of what test/harness/host/run starts
user_runtime=$volatile/xdg                 # its XDG_RUNTIME_DIR
user_config=$user_home/.config/containers  # podman's configuration for it
stages=$state/stage                        # what test/harness/host/stage copies
stamp=$volatile/ready                      # written once podman was seen to work, see ready()
probe_log=$volatile/probe.log              # what podman said when it was last tried
namespace=$volatile/ns/mnt                 # the mount namespace of test/harness/host/run, where one is needed
cgroup=/sys/fs/cgroup/$test_user           # the user's own cgroup, inside that namespace
device_modes=$volatile/device-modes        # the modes that devices had before, for test/harness/host/remove
cni_mark=$state/made-var-lib-cni           # says that /var/lib/cni is ours

say() {
	printf 'test/harness/host/%s: %s\n' "${0##*/}" "$*" >&2
}

# fail ends the script with 125, the status by which podman, env and timeout too say "CMD never ran".
fail() {
	say "error: $*"
	exit 125
}

# need fails unless every given program is installed.
need() {
	local program
	for program; do
		command -v "$program" >/dev/null || fail "$program is missing: run test/harness/host/install"
	done
}

# stamp_line is what the stamp must say: a restart of the machine or another podman make it stale.
stamp_line() {
	printf '%s %s\n' "$(</proc/sys/kernel/random/boot_id)" "$(stat -L -c %i:%Y "$(command -v podman)")"
}

namespace_alive() {
	[[ "$(stat -f -c %T "$namespace" 2>/dev/null)" == nsfs ]]
}

# ready tells whether podman was set up since the machine started, and sets mode to how it is entered.
ready() {
	local line
	mode=
	[[ -e $stamp && -d $user_runtime ]] || return 1
	{ read -r line && read -r mode; } <"$stamp" || return 1
	[[ $line == "$(stamp_line)" ]] || return 1
	! processes_ended || return 1
	[[ $mode != namespace ]] || namespace_alive
}

# processes_ended tells whether somebody has ended the user's processes, podman's pause process among them, and left the files in
# the runtime directory that say they run: every podman command then fails where a container is said to run.
processes_ended() {
	local pause
	pause=$(cat "$user_runtime/libpod/tmp/pause.pid" 2>/dev/null) && [[ ! -d /proc/$pause ]]
}

# clean_environment keeps only what the README promises to pass on.
clean_environment() {
	local name
	for name in $(compgen -e); do
		case $name in
		PODMAN_EXECUTOR_* | CI* | GITLAB_RUNNER* | TERM* | SLURM_CONF) ;;
		*) export -n "${name?}" ;;
		esac
	done
	while read -r _ _ name; do
		unset -f "$name"
	done < <(declare -Fx)
}

# user_environment sets what a login would have set.
user_environment() {
	local go
	go=$(command -v go) && go=${go%/*}:
	clean_environment
	((EUID == 0)) || own_podman
	export PATH="${go}/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	export HOME=$user_home USER=$test_user LOGNAME=$test_user XDG_RUNTIME_DIR=$user_runtime
	export PODMAN_EXECUTOR_TEST_HOST=ready # a call inside a call has nothing left to do
}

# own_podman makes a contributor's podman use another home, another runtime directory and another
# storage: their images, containers and settings are out of reach. systemd and Go's caches are not.
own_podman() {
	export CONTAINERS_STORAGE_CONF=$user_config/storage.conf
	export GOPATH=${GOPATH:-$HOME/go} GOCACHE=${GOCACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/go-build}
	if [[ -z ${DBUS_SESSION_BUS_ADDRESS-} && -S ${XDG_RUNTIME_DIR-}/bus ]]; then
		DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus
	fi
	if [[ -n ${DBUS_SESSION_BUS_ADDRESS-} ]]; then
		export DBUS_SESSION_BUS_ADDRESS
	fi
}

# in_directory runs CMD in DIR, or at home where the user may not enter DIR.
# shellcheck disable=SC2016 # expanded by the inner shell
in_directory=(sh -c 'cd -- "$1" 2>/dev/null || cd; shift; exec "$@"' sh)

# enter replaces this process: enter DIR CMD [ARG...] as the user, the way that mode says. Its
# environment must be the user's by then. In a namespace CMD starts below the user's own cgroup: from the
# root cgroup it could not move a process to a cgroup that it made, as systemd in a container needs.
enter() {
	local -a user=()
	umask 022
	if ((EUID == 0)) && [[ $run_as == user ]]; then
		user=(setpriv --reuid="$test_user" --regid="$test_user" --init-groups --)
	fi
	if [[ $mode == namespace ]]; then
		export PODMAN_EXECUTOR_TEST_CGROUP=$cgroup # for what wants a cgroup of its own to divide
		# shellcheck disable=SC2016 # expanded by the inner shell
		user=(nsenter --mount="$namespace" -- sh -c 'echo 0 >"$1" && shift && exec "$@"' sh
			"$cgroup/session/calls/cgroup.procs" "${user[@]}")
	fi
	exec "${user[@]}" "${in_directory[@]}" "$@"
}
