package step

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStubProfileEnds: a login shell's profile that ends the shell must not make a
// green job of a script that did not run.
func TestStubProfileEnds(t *testing.T) {
	const ran = "#!/bin/sh\necho ran\n"
	inShells(t, func(t *testing.T, c container) {
		login := exists(filepath.Join(c.path, "bash"))
		for profile, wanted := range map[string]result{
			"exit 0\n":           {stderr: swallowedByProfile, code: 1},
			"exit\n":             {stderr: swallowedByProfile, code: 1},
			"exec true\n":        {stderr: swallowedByProfile, code: 1},
			"echo hello\nexit 0": {"hello\n", swallowedByProfile, 1},
			"exit 3\n":           {stderr: swallowedByProfile, code: 3},
			"return 0\n":         {stdout: "ran\n"},
			"return 3\n":         {stdout: "ran\n"},
			"trap : TERM\n":      {stdout: "ran\n"},
		} {
			if err := os.WriteFile(filepath.Join(c.home, ".bash_profile"), []byte(profile), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, where := range []Where{User, Runner} {
				if !login { // sh reads no profile
					wanted = result{stdout: "ran\n"}
				}
				want(t, c.run(t, where, EntryPoint{Shell: true, Login: true}, c.input(t, ran)), wanted)
			}
		}
	})
}

// TestStubTerminated: a shell that waits for the script does not end before it,
// and ends as it does: what a script does about SIGTERM is not cut short.
func TestStubTerminated(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		entries := []EntryPoint{{Words: []string{"env"}, Shell: true}, {Words: []string{"sh"}}, {Shell: true, Login: true}}
		up, end := filepath.Join(c.home, "up"), filepath.Join(c.home, "end")
		script := "#!/bin/sh\necho >" + up + "\nwhile ! [ -e " + end + " ]; do :; done\necho the end\nexit 7\n"
		for _, entry := range entries {
			_, _ = os.Remove(up), os.Remove(end)
			got := c.runWhile(t, User, entry, c.input(t, script), func(shell *os.Process) {
				defer func() { _ = os.WriteFile(end, nil, 0o600) }()
				for deadline := time.Now().Add(30 * time.Second); !exists(up); time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						t.Error("the script does not start")
						return
					}
				}
				if err := shell.Signal(syscall.SIGTERM); err != nil {
					t.Error(err)
				}
			})
			want(t, got, result{stdout: "the end\n", code: 7})
		}
	})
}

// TestStubTrapIsTheShellsOwn: the script itself is ended by SIGTERM as ever.
func TestStubTrapIsTheShellsOwn(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		entry := EntryPoint{Words: []string{"env"}, Shell: true}
		got := c.run(t, User, entry, c.input(t, "#!/bin/sh\nkill -s TERM $$\necho alive\n"))
		if got.code != 128+15 || strings.Contains(got.stdout, "alive") {
			t.Errorf("got %+v", got)
		}
	})
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
