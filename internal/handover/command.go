package handover

import (
	_ "embed"

	"podman-executor/internal/shell"
	"podman-executor/internal/step"
)

// Pipes is where a container that stays has the directory of [Make], read-only: it may open
// what is there, and put nothing in its place.
const Pipes = step.Private + "/steps"

//go:embed loop.sh
var loopFile string

// loopProgram is the program of a container that stays: the other end of the pipes. What it does,
// and why, is written in the file.
var loopProgram = shell.Program(loopFile, "@DIR@", step.Dir, "@PIPES@", Pipes)

// Command returns the arguments of `sh` for a container that stays for the whole job, see
// [step.Command].
func Command(where step.Where, entry step.EntryPoint, sources step.Sources, open ...string) []string {
	return step.Outer{Program: loopProgram}.Command(where, entry, sources, open...)
}
