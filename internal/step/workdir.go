package step

import (
	"path"
	"slices"
	"strings"
)

// In returns the arguments of `sh` of a command of this package that begins in a directory of its image, which is WORKDIR
// there: its links are followed in the container, where podman before 5.7.1 follows them on the host
// (CVE-2026-55686). Like podman it makes one that is missing; where it cannot be entered, the command begins where it is.
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
