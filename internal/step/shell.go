package step

import (
	"bytes"
	"strings"
)

// Shell is what a script is written for.
type Shell string

const (
	// POSIX is bash or sh: `shell = "bash"` or "sh" in config.toml.
	POSIX Shell = "sh"
	// PowerShell is `shell = "pwsh"`.
	PowerShell Shell = "pwsh"
	// NoShell is any other, such as `shell = "powershell"` of Windows: it does not run here.
	NoShell Shell = "none"
)

// ShellOf returns a script's shell by the first line that gitlab-runner gives it
// (gitlab-runner shells/bash.go:420, shells/powershell.go:718).
func ShellOf(script []byte) Shell {
	first, _, ok := bytes.Cut(script, []byte("\n"))
	line := string(first)
	switch {
	case !ok || !strings.HasPrefix(line, "#!"):
		return NoShell
	case strings.HasSuffix(line, "pwsh"):
		return PowerShell
	case strings.HasSuffix(line, "sh"):
		return POSIX
	}
	return NoShell
}
