#!/usr/bin/env bash
# Puts an S3 server at OUTPUT: built from this folder, or from the cache of earlier builds (../../scripts/cached-build.bash).
#
# usage: test/harness/s3/build.sh OUTPUT
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=SCRIPTDIR/../../scripts/cached-build.bash
source "$here/../../scripts/cached-build.bash"

build() {
	CGO_ENABLED=0 go build -mod=readonly -trimpath -buildvcs=false -ldflags '-s -w' -o "$1" .
}

begin s3-server "$@"
cd -- "$here"
cached '1 minute'
