package step

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStubSwallowed: an entry point that ends without running the script is not a green job, and
// the log says so.
func TestStubSwallowed(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		const ran = "#!/bin/sh\necho ran\n"
		for _, tt := range []struct {
			entry EntryPoint
			code  int
		}{
			{EntryPoint{Words: []string{"true"}, Shell: true}, 1},
			{EntryPoint{Words: []string{"true"}}, 1},
			{EntryPoint{Words: []string{"echo"}}, 1},
			{EntryPoint{Words: []string{"sh", "-c", "exit 0"}, Shell: true}, 1},
			{EntryPoint{Words: []string{"sh", "-c", "exit 7"}, Shell: true}, 7},
			{EntryPoint{Words: []string{"sh", "-c", `"$@"`}, Shell: true}, 1},
			{EntryPoint{Words: []string{"nonexistent"}, Shell: true}, 127},
		} {
			got := c.run(t, User, tt.entry, c.input(t, ran))
			if got.code != tt.code || strings.Contains(got.stdout, "ran\n") || !strings.HasSuffix(got.stderr, swallowed) {
				t.Errorf("%q: got %+v", tt.entry.Words, got)
			}
		}
	})
}

// TestStubEntryPoints: whatever runs its arguments, or one word as a command, runs the script.
func TestStubEntryPoints(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		wrapper := filepath.Join(c.home, "wrapper")
		if err := os.WriteFile(wrapper, []byte("#!/bin/sh\n(:) &\nexec \"$@\"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		entries := [][]string{
			{"sh"},
			{"sh", "-c"},
			{"sh", "-ec"},
			{"/bin/sh", "-c"},
			{"env", "sh", "-c"},
			{"env", "X=1"},
			{"env", "X=1", "sh", "-c"},
			{"sh", "-c", `exec "$@"`, "--"},
			{"sh", "-c", `"$0" "$@"`},
			{"sh", "-c", `exec "$0"`},
			{wrapper},
			{wrapper, "sh", "-c"},
			{"sh", wrapper},
		}
		if exists(filepath.Join(c.path, "bash")) {
			entries = append(entries, []string{"bash"}, []string{"bash", "-c"}, []string{"bash", "-l", "-c"}, []string{"bash", "-lc"}, []string{"bash", "-l"}, []string{"bash", "-c", "--"})
		}
		for _, words := range entries {
			for _, login := range []bool{false, true} {
				script := c.input(t, "#!/bin/sh\necho ran\nexit 7\n")
				if got := c.run(t, User, EntryPoint{Words: words, Shell: true, Login: login}, script); got != (result{"ran\n", "", 7}) {
					t.Errorf("%q, login shell %v: got %+v", words, login, got)
				}
			}
		}
	})
}

// TestStubWrapped: an entry point that does run the script is in nobody's way.
func TestStubWrapped(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		script := c.input(t, "#!/bin/sh\necho \"$GREETING\"\nexit 3\n")
		want(t, c.run(t, User, EntryPoint{Words: []string{"env", "GREETING=two words"}, Shell: true}, script), result{"two words\n", "", 3})

		wrapper := EntryPoint{Words: []string{"sh", "-c", `echo before; "$@"; echo "after $?"`, "wrapper"}, Shell: true}
		script = c.input(t, "#!/bin/sh\necho script\nexit 3\n")
		want(t, c.run(t, User, wrapper, script), result{"before\nscript\nafter 3\n", "", 0})
	})
}
