package podman

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestRenewPause: podman without its pause process is helped once, however many commands find it
// so at a time.
func TestRenewPause(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "podman")
	script := `#!/bin/sh
echo "$*" >>"$XDG_RUNTIME_DIR/log"
if [ "$*" = 'system migrate' ]; then
	sleep 0.1
	: >"$XDG_RUNTIME_DIR/renewed"
	echo 'cannot stop container 80b588: timed out waiting for file' >&2
	exit 125
elif [ ! -e "$XDG_RUNTIME_DIR/renewed" ]; then
	echo 'time="2026-11-30T17:51:11Z" level=error msg="invalid internal status, try resetting the pause process with \"podman system migrate\": could not find any running process: no such process"' >&2
	exit 1
fi
echo done
`
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	p := &Podman{Program: program, Env: []string{"XDG_RUNTIME_DIR=" + dir, "PATH=" + Path}}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if out, err := p.Output(t.Context(), "volume", "ls"); string(out) != "done\n" || err != nil {
				t.Errorf("got %q, %v", out, err)
			}
		})
	}
	all.Wait()
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if n := strings.Count(string(log), "system migrate\n"); n != 1 || err != nil {
		t.Errorf("migrated %d times, %v", n, err)
	}

	// What does not help is tried once by each command.
	if err := os.WriteFile(program, []byte(strings.Replace(script, ": >", "#", 1)), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"renewed", "log"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Output(t.Context(), "volume", "ls"); !pauseGone(err) {
		t.Errorf("got %v", err)
	}
	if log, _ := os.ReadFile(filepath.Join(dir, "log")); string(log) != "volume ls\nps --quiet --last 1\nsystem migrate\nvolume ls\n" {
		t.Errorf("podman was called as\n%s", log)
	}
}
