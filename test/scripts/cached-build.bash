# shellcheck shell=bash
# Building a program of a nested Go module, once: the next build that depends on the same is a copy from a cache. For
# build.sh beside the module, which defines build and sources this.
#
# build FILE   builds the program as FILE
#
# | variable | meaning |
# |---|---|
# | PODMAN_EXECUTOR_TEST_CACHE | where built programs are kept; by default /var/cache/podman-executor-test for root, else ${XDG_CACHE_HOME:-~/.cache}/podman-executor-test |
# | GOARCH | the architecture to build for |
#
# A program is found again by a hash of all files of the module's folder but tests, and of this one, `go version` and GOARCH. Old ones
# are never removed. Two builds at once do no harm: the second waits for the first.

die() {
	printf '%s: error: %s\n' "$name" "$*" >&2
	exit 1
}

# begin NAME OUTPUT takes the script's argument.
begin() {
	name=$1
	[[ $# -eq 2 && -n $2 && $2 != -* ]] || die 'usage: build.sh OUTPUT'
	[[ ! -d $2 ]] || die "$2 is a directory"
	mkdir -p -- "$(dirname -- "$2")"
	output=$(cd -- "$(dirname -- "$2")" && pwd -P)/$(basename -- "$2")
	tmp='' log=''
	trap 'rm -f -- ${tmp:+"$tmp"} ${log:+"$log"}' EXIT
}

# put FILE copies FILE to $output, which is either the old file or the new one, never a part of it.
put() {
	cmp -s -- "$1" "$output" && [[ -x $output ]] && return
	tmp=$(mktemp -- "$output.XXXXXX")
	cp -- "$1" "$tmp"
	chmod 0755 -- "$tmp"
	mv -fT -- "$tmp" "$output"
	tmp=
}

# key prints a hash of all that a build of the module in this folder depends on.
key() {
	{
		find . ../../scripts/cached-build.bash -type f ! -name '*_test.go' ! -path "./$name" ! -path "./${output#"$PWD"/}" -print0 | LC_ALL=C sort -z | xargs -0 sha256sum --
		go version
		go env GOARCH
	} | sha256sum | cut -c 1-16
}

# cached DURATION builds the module of this folder, or takes what was built before, to $output. DURATION tells how long the
# first build takes.
cached() {
	local cache built
	if [[ -n ${PODMAN_EXECUTOR_TEST_CACHE:-} ]]; then
		cache=$PODMAN_EXECUTOR_TEST_CACHE
	elif [[ $EUID -eq 0 ]]; then
		cache=/var/cache/podman-executor-test
	else
		cache=${XDG_CACHE_HOME:-$HOME/.cache}/podman-executor-test
	fi
	mkdir -p -- "$cache"
	cache=$(cd -- "$cache" && pwd -P)
	export GOOS=linux GOWORK=off
	command -v go >/dev/null || die 'go is not on PATH'
	built=$cache/$name-$(key)
	if [[ ! -x $built ]]; then
		printf '%s: building %s; the first build takes about %s\n' "$name" "$built" "$1"
		exec 9>"$cache/$name.lock"
		if command -v flock >/dev/null; then flock 9; fi # two at once would be as slow as one after the other
	fi
	if [[ -x $built ]]; then
		printf '%s: using %s, built before\n' "$name" "$built"
	else
		tmp=$(mktemp -- "$built.XXXXXX")
		build_quietly "$tmp"
		chmod 0755 -- "$tmp"
		mv -fT -- "$tmp" "$built"
		tmp=
	fi
	put "$built"
}

# build_quietly FILE shows what go says only if it fails: it names every module that it fetches.
build_quietly() {
	log=$(mktemp)
	build "$1" 2>"$log" || {
		grep -v '^go: downloading ' -- "$log" >&2 || true
		die 'the build failed'
	}
}
