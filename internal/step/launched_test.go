package step

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A launched container tells the script's exit code by a file, too.
func TestLaunched(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		c.launched = true
		report := filepath.Join(c.dir, "private", "report")
		if err := os.MkdirAll(report, 0o700); err != nil {
			t.Fatal(err)
		}
		entries := []EntryPoint{{Shell: true}, {Words: []string{"env", "-u", "X"}, Shell: true}, {Words: []string{"sh"}}}
		for _, entry := range entries {
			for _, code := range []int{0, 1, 42, 125, 137, 255} {
				want(t, c.run(t, User, entry, c.input(t, "#!/bin/sh\necho hello\nexit "+strconv.Itoa(code)+"\n")), result{"hello\n", "", code})
				status, err := os.ReadFile(filepath.Join(report, StatusFile))
				if err != nil || string(status) != strconv.Itoa(code)+"\n" || !exists(filepath.Join(report, StartedFile)) {
					t.Errorf("%v: it has told %q, %v, want %d", entry, status, err, code)
				}
				_ = os.Remove(filepath.Join(report, StatusFile))
			}
		}
		// What did not arrive whole.
		c.inputEnds = true
		if got := c.run(t, User, EntryPoint{Shell: true}, strings.NewReader("30 none\n")); got.code != 125 {
			t.Errorf("half a script: %+v", got)
		}
		// A container that cannot tell does not run.
		if err := os.RemoveAll(report); err != nil {
			t.Fatal(err)
		}
		if got := c.run(t, User, EntryPoint{Shell: true}, c.input(t, "#!/bin/sh\necho ran\n")); got.code != 125 || got.stdout != "" {
			t.Errorf("without a directory: %+v", got)
		}
	})
}

func TestLaunchedCommand(t *testing.T) {
	got := LaunchedCommand(EntryPoint{Words: []string{"a b", "-c"}}, 4*time.Second)
	watching := strings.Replace(stub, "kill -s TERM -- -1;", "kill -s TERM -- -1; sleep 4; kill -s KILL -- -1;", 1)
	want := []string{"-c", launched, "podman-executor", watching, "-", "file", "a b", "-c"}
	if watching == stub {
		t.Error("the stub tells nobody to stop")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
