# shellcheck shell=bash disable=SC2034 # what is set here is used where this is sourced
# What run and remove share. Sourced, never run.

shopt -s inherit_errexit

cache=${PODMAN_EXECUTOR_TEST_CACHE:-/var/cache/podman-executor-test}
roots=$cache/debian13             # the roots, each a directory named by its key, and a lock
volatile=/run/podman-executor-debian13 # KEY/mnt and KEY/cgroup keep a root's namespaces while the machine runs
cgroups=podman-executor-debian13  # the cgroup of all that runs in a root: cgroups/KEY
outside=/root/outside             # in a root: the machine's own root, closed to all but root

say() {
	printf 'test/harness/debian13/%s: %s\n' "${0##*/}" "$*" >&2
}

# fail ends the script with 125, by which test/harness/host/run, too, says that the command never ran.
fail() {
	say "error: $*"
	exit 125
}

for_root() {
	((EUID == 0)) || fail "another root is entered as root only"
}

# kept tells whether the namespaces of a root are there.
kept() {
	[[ "$(stat -f -c %T "$volatile/$1/mnt" 2>/dev/null)" == nsfs && "$(stat -f -c %T "$volatile/$1/cgroup" 2>/dev/null)" == nsfs ]]
}

# cgroup2 prints where cgroup v2 is mounted, on a machine with v1 controllers, too.
cgroup2() {
	awk '$3 == "cgroup2" { print $2; found = 1; exit } END { exit !found }' /proc/self/mounts
}

# members prints the processes in a cgroup and below it.
members() {
	find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null || true
}

# in_use tells whether a call of run is in a root. What it starts as a test user may have another cgroup, and podman's pause process
# (catatonit) stays when the call is over.
in_use() {
	local pid
	while read -r pid; do
		[[ "$(cat "/proc/$pid/comm" 2>/dev/null)" == catatonit ]] || return 0
	done < <(cat "$(cgroup2)/$cgroups/$1/cgroup.procs" 2>/dev/null || true)
	return 1
}

# remove_root ends what runs in a root, and deletes it.
remove_root() {
	local key=$1 tree signal
	local -a pids
	tree=$(cgroup2)/$cgroups/$key
	for signal in TERM KILL KILL KILL KILL; do
		mapfile -t pids < <(members "$tree")
		((${#pids[@]} > 0)) || break
		kill -s "$signal" -- "${pids[@]}" 2>/dev/null || true
		sleep 0.5
	done
	if kept "$key"; then
		umount "$volatile/$key/mnt" "$volatile/$key/cgroup"
	fi
	rm -rf --one-file-system "${volatile:?}/$key" "${roots:?}/$key"
	if [[ -d $tree ]]; then
		find "$tree" -depth -type d -exec rmdir {} + || say "leaving the cgroup $tree: it is in use"
	fi
}
