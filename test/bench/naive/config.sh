#!/bin/sh
# Tells gitlab-runner where builds are in the containers. Jobs at a time have directories of their own.
cat <<END
{"builds_dir": "/builds/$CUSTOM_ENV_CI_CONCURRENT_ID", "cache_dir": "/cache"}
END
