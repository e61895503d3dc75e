package launch

import (
	_ "embed"
	"time"

	"podman-executor/internal/shell"
	"podman-executor/internal/step"
)

// Report is the mount point of the directory in which a container reports, with the files
// "started", which is empty, and "status", with the script's exit code.
const Report = step.Private + "/report"

// The files in [Report], as launched.sh names them.
const (
	startedFile = "started"
	statusFile  = "status"
)

//go:embed launched.sh
var launchedFile string

// launchedProgram is the program of a container that a launcher starts. What it does, and why, is
// written in the file.
var launchedProgram = shell.Program(launchedFile, "@REPORT@", Report)

// Command returns the arguments of `sh` for the container of one of the user's steps that a
// launcher starts, see [step.Command]. On another machine nothing else kills a script that does
// not stop, so the stub does it after the grace period, in whole seconds.
func Command(entry step.EntryPoint, grace time.Duration) []string {
	return step.Outer{Program: launchedProgram, KillAfter: grace}.Command(step.User, entry, step.Sources{})
}
