package handover

import (
	_ "embed"

	"podman-executor/internal/shell"
	"podman-executor/internal/step"
)

// Pipes is the mount point of the directory of [Make] in a container that stays. It is
// read-only, so the container can open the pipes but not replace them.
const Pipes = step.Private + "/steps"

//go:embed loop.sh
var loopFile string

// loopProgram is the program of a container that stays: the other end of the pipes. The file
// explains it.
var loopProgram = shell.Program(loopFile, "@DIR@", step.Dir, "@PIPES@", Pipes)

// Command returns the arguments of `sh` for a container that stays for the whole job, see
// [step.Command].
func Command(where step.Where, entry step.EntryPoint, sources step.Sources, open ...string) []string {
	return step.Outer{Program: loopProgram}.Command(where, entry, sources, open...)
}
