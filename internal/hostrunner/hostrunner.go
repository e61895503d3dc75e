// Package hostrunner finds the gitlab-runner of this host that called the driver, for the
// runner container and for steps on the host.
package hostrunner

import (
	"debug/elf"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
)

// Program is the name by which the runner's scripts call for artifacts and
// caches (gitlab-runner executors/custom/custom.go:405). Where it is missing,
// they do nothing, and the job passes (shells/abstract.go:211).
const Program = "gitlab-runner"

// Running returns the file of the gitlab-runner that runs as the given process. It is empty if
// the process is something else, if the file no longer exists, or, with an error, if somebody
// else could replace the file.
func Running(pid int) (string, error) {
	file, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || !strings.HasPrefix(filepath.Base(file), Program) {
		return "", nil
	}
	if _, err := os.Stat(file); err != nil {
		return "", nil
	}
	if err := trust.Path(file, trust.Self()); err != nil {
		return "", err
	}
	return file, nil
}

// Mountable reports whether podman can mount a file, and any image can run it, because it is
// statically linked.
func Mountable(file string) bool { return !strings.Contains(file, ":") && isStatic(file) }

// isStatic reports whether a program is statically linked.
func isStatic(file string) bool {
	program, err := elf.Open(file)
	if err != nil {
		return false
	}
	defer program.Close()
	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}

// Mount returns the volume that mounts the host's gitlab-runner into the runner container,
// ahead of the image's own on PATH.
func Mount(file string, image podman.Image) string {
	dir := "/usr/local/bin"
	if image.Config.Path != "" {
		dir = firstDirectory(image.Config.Path, dir)
	}
	return file + ":" + path.Join(dir, Program) + ":ro"
}

// firstDirectory returns the directory on a PATH that comes before all others: the preferred
// one, if no program of the image can come before it.
func firstDirectory(search, preferred string) string {
	for dir := range strings.SplitSeq(search, ":") {
		switch {
		case dir == "/usr/local/sbin":
			// The usual PATH begins with it, and images have no programs there.
		case path.IsAbs(dir) && path.Clean(dir) == dir && dir != "/":
			return dir
		}
	}
	return preferred
}
