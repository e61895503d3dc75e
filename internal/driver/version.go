package driver

import "runtime/debug"

// version and commit are set by the Makefile's -ldflags.
var (
	version string
	commit  string
)

// Version returns "VERSION (COMMIT)".
func Version() string { return VersionNumber() + " (" + commitID() + ")" }

// VersionNumber returns the version alone, for the runner's log.
func VersionNumber() string {
	if version == "" {
		return "0.0.0-dev"
	}
	return version
}

func commitID() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown commit"
}
