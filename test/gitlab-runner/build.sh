#!/usr/bin/env bash
# Puts a real gitlab-runner at OUTPUT: built from this folder, from the cache of earlier builds where it can be, or the
# installed one that GITLAB_RUNNER names. README.md tells the rest.
set -euo pipefail

module=gitlab.com/gitlab-org/gitlab-runner
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)

die() {
	printf 'build.sh: error: %s\n' "$*" >&2
	exit 1
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

# key prints a hash of all that a build depends on.
key() {
	{
		find . -type f ! -path ./gitlab-runner ! -path "$1" -print0 | LC_ALL=C sort -z | xargs -0 sha256sum --
		go version
		go env GOARCH
	} | sha256sum | cut -c 1-16
}

# build FILE builds the runner as FILE. What go says is shown only if it fails: it names every module that it fetches.
build() {
	local version revision
	log=$(mktemp)
	{
		go mod download "$module" &&
			version=$(<"$(go list -mod=readonly -m -f '{{.Dir}}' "$module")/VERSION") &&
			revision=$(go list -mod=readonly -m -f '{{.Version}}' "$module") &&
			revision=${revision##*-} &&
			CGO_ENABLED=0 go build -mod=readonly -trimpath -buildvcs=false -o "$1" -ldflags \
				"-s -w -X $module/common.VERSION=$version -X $module/common.REVISION=${revision:0:8}" .
	} 2>"$log" || {
		grep -v '^go: downloading ' -- "$log" >&2 || true
		die 'the build failed'
	}
}

[[ $# -eq 1 && -n $1 && $1 != -* ]] || die 'usage: build.sh OUTPUT'
[[ ! -d $1 ]] || die "$1 is a directory"
mkdir -p -- "$(dirname -- "$1")"
output=$(cd -- "$(dirname -- "$1")" && pwd -P)/$(basename -- "$1")
tmp='' log=''
trap 'rm -f -- ${tmp:+"$tmp"} ${log:+"$log"}' EXIT

if [[ -n ${GITLAB_RUNNER:-} ]]; then
	[[ -f $GITLAB_RUNNER && -x $GITLAB_RUNNER ]] || die "GITLAB_RUNNER=$GITLAB_RUNNER is not an executable file"
	runner=$(realpath -- "$GITLAB_RUNNER")
	version=$("$runner" --version) || die "$runner --version failed"
	printf 'gitlab-runner: using the installed %s: %s\n' "$runner" "${version%%$'\n'*}"
	put "$runner"
	exit
fi

if [[ -n ${PODMAN_EXECUTOR_TEST_CACHE:-} ]]; then
	cache=$PODMAN_EXECUTOR_TEST_CACHE
elif [[ $EUID -eq 0 ]]; then
	cache=/var/cache/podman-executor-test
else
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/podman-executor-test
fi
mkdir -p -- "$cache"
cache=$(cd -- "$cache" && pwd -P)

cd -- "$here"
export GOOS=linux GOWORK=off
command -v go >/dev/null || die 'go is not on PATH; set GITLAB_RUNNER=/path/to/gitlab-runner to use an installed runner'
built=$cache/gitlab-runner-$(key "./${output#"$here"/}")

if [[ ! -x $built ]]; then
	printf 'gitlab-runner: building %s; the first build takes about 3 minutes\n' "$built"
	exec 9>"$cache/gitlab-runner.lock"
	if command -v flock >/dev/null; then flock 9; fi # two at once would be as slow as one after the other
fi
if [[ -x $built ]]; then
	printf 'gitlab-runner: using %s, built before\n' "$built"
else
	tmp=$(mktemp -- "$built.XXXXXX")
	build "$tmp"
	chmod 0755 -- "$tmp"
	mv -fT -- "$tmp" "$built"
	tmp=
fi
put "$built"
