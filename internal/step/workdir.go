package step

import (
	"path"
	"slices"
	"strings"
)

// In returns the arguments of a container's `sh`, such as those of [Command], with a change to
// a directory before the program: the image's WORKDIR. So links in its path are followed in
// the container; podman before 5.7.1 follows them on the host (CVE-2026-55686). Like podman it
// makes a missing directory; if it cannot enter it, the program begins in the directory it has.
func In(dir string, command []string) []string {
	dir = path.Join("/", dir)
	if dir == "/" {
		return command
	}
	quoted := "'" + strings.ReplaceAll(dir, "'", `'\''`) + "'"
	command = slices.Clone(command)
	command[1] = "{ cd " + quoted + " || { mkdir -p " + quoted + " && cd " + quoted + "; }; } >/dev/null 2>&1\n" + command[1]
	return command
}
