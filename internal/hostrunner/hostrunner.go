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

// Running returns the file of the gitlab-runner that is the process of that number. It is
// empty where something else is, or where the file is there no more, or, with an error,
// where somebody else could replace it.
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

// Mountable reports whether podman can mount a file, and any image can run it: it needs
// nothing of the system that it is from.
func Mountable(file string) bool { return !strings.Contains(file, ":") && isStatic(file) }

// isStatic tells whether a program needs nothing of the system that it runs on.
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

// Mount is the volume that brings the host's gitlab-runner into the runner
// container, in front of the image's own.
func Mount(file string, image podman.Image) string {
	dir := "/usr/local/bin"
	if image.Config.Path != "" {
		dir = firstDirectory(image.Config.Path, dir)
	}
	return file + ":" + path.Join(dir, Program) + ":ro"
}

// firstDirectory returns the place on a PATH that comes before all others: the
// preferred one where nothing of the image's can be in front of it.
func firstDirectory(search, preferred string) string {
	for dir := range strings.SplitSeq(search, ":") {
		switch {
		case dir == "/usr/local/sbin":
			// The usual PATH begins with it; images have no programs there.
		case path.IsAbs(dir) && path.Clean(dir) == dir && dir != "/":
			return dir
		}
	}
	return preferred
}
