package step

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"podman-executor/internal/shell"
)

// The files of shell programs. Comments in them explain what they do, and why.
var (
	//go:embed hide.sh
	hideFile string
	//go:embed clean.sh
	cleanFile string
	//go:embed stub.sh
	stubFile string
	//go:embed login.sh
	loginFile string
)

// hide runs once in a container. cleanFunctions have clean_or_say, which takes the words of
// [Sources].
var (
	hide           = shell.Program(hideFile, "@DIR@", Dir, "@PRIVATE@", Private)
	cleanFunctions = shell.Program(cleanFile)
)

// stub is the program that saves a script and runs it. If killAfter is not 0, it kills a script
// that has not ended that long after it was told to stop, in whole seconds.
func stub(killAfter time.Duration) string {
	stop := "kill -s TERM -- -1"
	if killAfter != 0 {
		stop += fmt.Sprintf("; sleep %d; kill -s KILL -- -1", int(killAfter/time.Second))
	}
	login := strings.TrimSuffix(shell.Program(loginFile), "\n")
	return cleanFunctions + shell.Program(stubFile, "@DIR@", Dir, "@PWSH@", pwsh, "@STOP@", stop, "@LOGIN@", login)
}

// Command returns the arguments of `sh` for a container that runs one step each time that it
// is started. sources and open are for the runner container: open are the directories of
// volumes that it makes writable for every user. Its steps have the umask 0000, as with the
// docker executor: an image's user that is not root must be able to change what they write
// (gitlab-runner helpers/container/helperimage/linux_info.go:60). Not with Sources.KeepUmask.
func Command(where Where, entry EntryPoint, sources Sources, open ...string) []string {
	return slices.Concat([]string{"-c", hide + stub(0), argumentZero}, arguments(where, entry, sources, open))
}

// argumentZero is the name of a container's shell, for its own messages.
const argumentZero = "podman-executor"

// Outer is a program for `sh` that runs the stub, maybe more than once: the function `step`, with
// the program's arguments, in a subshell.
type Outer struct {
	Program string
	// KillAfter is how long a script may take to end when it is told to stop, in whole
	// seconds; then the stub kills it. 0: somebody else does.
	KillAfter time.Duration
}

// Command returns the arguments of `sh` for a container with the program, see [Command].
func (o Outer) Command(where Where, entry EntryPoint, sources Sources, open ...string) []string {
	program := hide + "step() {\n" + stub(o.KillAfter) + "}\n" + o.Program
	return slices.Concat([]string{"-c", program, argumentZero}, arguments(where, entry, sources, open))
}

// arguments returns the arguments of the stub.
func arguments(where Where, entry EntryPoint, sources Sources, open []string) []string {
	mode := "file"
	switch {
	case entry.Login:
		mode = "login"
	case entry.Shell:
		mode = "shell"
	}
	var runner []string
	if where == Runner {
		umask := "0000"
		if sources.KeepUmask {
			umask = "-"
		}
		runner = append([]string{umask, sources.Root, sources.Project}, open...)
	}
	return slices.Concat([]string{mode, strconv.Itoa(len(runner))}, runner, entry.Words)
}

// Input returns what a container's standard input gets for a script. clean is what the stub
// removes before it runs the script.
func Input(script []byte, clean Clean) io.Reader {
	shell := ShellOf(script)
	if shell != POSIX {
		return io.MultiReader(strings.NewReader(head(len(script), shell, clean)), bytes.NewReader(script))
	}
	first, rest, _ := bytes.Cut(script, []byte("\n"))
	// The line after the shebang proves that a shell has run the script.
	proof := "echo >|" + Dir + "/started\n"
	start := fmt.Sprintf("%s%s\n%s", head(len(script)+len(proof), shell, clean), first, proof)
	return io.MultiReader(strings.NewReader(start), bytes.NewReader(rest))
}

func head(size int, shell Shell, clean Clean) string {
	return strings.TrimSuffix(fmt.Sprintf("%d %s %s", size, shell, clean), " ") + "\n"
}
