#!/usr/bin/env bash
# Puts a real gitlab-runner at OUTPUT: built from this folder, from the cache of earlier builds where it can be, or the
# installed one that GITLAB_RUNNER names. README.md tells the rest.
#
# usage: test/harness/gitlab-runner/build.sh OUTPUT
set -euo pipefail

module=gitlab.com/gitlab-org/gitlab-runner
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=SCRIPTDIR/../../scripts/cached-build.bash
source "$here/../../scripts/cached-build.bash"

build() {
	local version revision
	go mod download "$module" &&
		version=$(<"$(go list -mod=readonly -m -f '{{.Dir}}' "$module")/VERSION") &&
		revision=$(go list -mod=readonly -m -f '{{.Version}}' "$module") &&
		revision=${revision##*-} &&
		CGO_ENABLED=0 go build -mod=readonly -trimpath -buildvcs=false -o "$1" -ldflags \
			"-s -w -X $module/common.VERSION=$version -X $module/common.REVISION=${revision:0:8}" .
}

begin gitlab-runner "$@"
if [[ -n ${GITLAB_RUNNER:-} ]]; then
	[[ -f $GITLAB_RUNNER && -x $GITLAB_RUNNER ]] || die "GITLAB_RUNNER=$GITLAB_RUNNER is not an executable file"
	runner=$(realpath -- "$GITLAB_RUNNER")
	version=$("$runner" --version) || die "$runner --version failed"
	printf 'gitlab-runner: using the installed %s: %s\n' "$runner" "${version%%$'\n'*}"
	put "$runner"
	exit
fi
command -v go >/dev/null || die 'go is not on PATH; set GITLAB_RUNNER=/path/to/gitlab-runner to use an installed runner'
cd -- "$here"
cached '3 minutes'
