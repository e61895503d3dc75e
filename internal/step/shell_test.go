package step

import (
	"os"
	"path/filepath"
	"testing"
)

// standIn is a PowerShell that shows how it was called and what it was to run.
const standIn = "#!/bin/sh\nfor arg do\n\techo \"$arg\"\n\tlast=$arg\ndone\ncat \"$last\"\numask\nexit 42\n"

// TestStubPowerShell: a script for PowerShell is run by that, with an entry point
// before it or none, and by nothing else.
func TestStubPowerShell(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		const script = "#!/usr/bin/env pwsh\n& { echo \"ran by pwsh\" }\n"
		want(t, c.runScript(t, script), result{
			stderr: "podman-executor: error: the script is for PowerShell, and the image has no pwsh\n" +
				"podman-executor: hint: use an image with PowerShell: shell is \"pwsh\" in the config.toml of this runner\n",
			code: ExitNoShell,
		})
		if err := os.WriteFile(filepath.Join(c.path, "pwsh"), []byte(standIn), 0o755); err != nil {
			t.Fatal(err)
		}
		printed := "-NoProfile\n-NonInteractive\n-ExecutionPolicy\nBypass\n-File\n" + c.dir + "/script.ps1\n" + script
		want(t, c.runScript(t, script), result{stdout: printed + "0022\n", code: 42})
		want(t, c.run(t, Runner, EntryPoint{Words: []string{"env"}, Shell: true}, c.input(t, script)), result{stdout: printed + "0000\n", code: 42})
		// The words of the policy may name a shell, which has to be that one.
		words := EntryPoint{Words: []string{"env", "pwsh", "-File"}}
		want(t, c.run(t, User, words, c.input(t, script)), result{stdout: "-File\n" + c.dir + "/script.ps1\n" + script + "0022\n", code: 42})
		words = EntryPoint{Words: []string{"env", "/bin/sh", "-e"}}
		want(t, c.run(t, User, words, c.input(t, script)), result{
			stderr: "podman-executor: error: the script is for PowerShell, and the entry point of the policy runs /bin/sh\n" +
				"podman-executor: hint: shell is \"pwsh\" in the config.toml of this runner: change user_entry_point or runner_entry_point\n",
			code: ExitNoShell,
		})
	})
}

func TestShellOf(t *testing.T) {
	for script, want := range map[string]Shell{
		"#!/usr/bin/env bash\n\necho": POSIX, "#!/usr/bin/env sh\n": POSIX, "#!/bin/sh\n": POSIX,
		"#!/usr/bin/env pwsh\n& {": PowerShell,
		"":                         NoShell, "#!/bin/sh": NoShell, "& {\r\n": NoShell, "\xef\xbb\xbf$x=1\r\n": NoShell, "echo sh\n": NoShell, "#!/usr/bin/env python\n": NoShell,
	} {
		if got := ShellOf([]byte(script)); got != want {
			t.Errorf("%q: got %q, want %q", script, got, want)
		}
	}
}
