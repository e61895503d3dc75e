package job

import "path/filepath"

// RuntimeDir returns the directory for what lives only as long as a job, such as auth files.
// getenv returns variables of podman's environment. The directory is in the user's runtime
// directory, which is in memory. The runner's TMPDIR will not do: it may be private to the
// runner (PrivateTmp=), while rootless podman sees files from the mount namespace of its first
// process.
func RuntimeDir(getenv func(string) string) string {
	base := getenv("XDG_RUNTIME_DIR")
	if base == "" {
		base = "/run"
	}
	return filepath.Join(base, "podman-executor")
}
