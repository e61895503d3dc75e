#!/bin/sh
# Tells gitlab-runner where builds are in the containers.
echo '{"builds_dir": "/builds", "cache_dir": "/cache"}'
