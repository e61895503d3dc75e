package job

import "path/filepath"

// RuntimeDir is the directory of what only lives as long as a job, such as auth
// files. getenv asks the environment that podman gets. The directory lies in the user's
// runtime directory, which is in memory: the runner's TMPDIR may be private to the runner
// (PrivateTmp=), while rootless podman looks at files from the mount namespace of its
// first process.
func RuntimeDir(getenv func(string) string) string {
	base := getenv("XDG_RUNTIME_DIR")
	if base == "" {
		base = "/run"
	}
	return filepath.Join(base, "podman-executor")
}
