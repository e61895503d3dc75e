package step

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runHost runs a script on this machine and returns what it printed.
func runHost(t *testing.T, ctx context.Context, h Host, script string) (string, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(name, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	h.Stdout, h.Stderr = &out, &out
	err := h.Run(ctx, name)
	return out.String(), err
}

func TestHostRuns(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SECRET", "s3cret")
	const script = "pwd; umask; echo \"$GREETING$SECRET\"; read -r line || echo no input\n"
	out, err := runHost(t, t.Context(), Host{Dir: dir, Env: []string{"GREETING=hello"}}, script)
	if want := dir + "\n0022\nhello\nno input\n"; out != want || err != nil {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
	// Without an environment it has none, and not this program's.
	out, err = runHost(t, t.Context(), Host{Dir: dir, Open: true}, script)
	if want := dir + "\n0000\n\nno input\n"; out != want || err != nil {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

// TestHostOpens: what former jobs have left is opened for a user who is another on the host, and
// for nobody else.
func TestHostOpens(t *testing.T) {
	for _, open := range []bool{false, true} {
		root := t.TempDir()
		if err := os.MkdirAll(root+"/p/.git", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+"/p/file", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		outside := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(outside, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, root+"/p/link"); err != nil {
			t.Fatal(err)
		}
		h := Host{Dir: root, Env: []string{"PATH=" + os.Getenv("PATH")}, Open: open, Clean: CleanGit, Sources: Sources{Root: root, Project: root + "/p"}}
		want := map[bool]string{false: "755 644 600\n", true: "777 666 600\n"}[open]
		out, err := runHost(t, t.Context(), h, "echo $(stat -L -c %a p p/file p/link)")
		if err != nil || out != want {
			t.Errorf("open %v: %q, %v, want %q", open, out, err, want)
		}
	}
}

// TestHostPowerShell: a script for PowerShell is run by that, or not at all.
func TestHostPowerShell(t *testing.T) {
	const script = "#!/usr/bin/env pwsh\n& { echo ran }\n"
	h := Host{Shell: PowerShell, Dir: t.TempDir(), Env: []string{"PATH=" + t.TempDir()}}
	if out, err := runHost(t, t.Context(), h, script); out != "" || !errors.Is(err, ErrNoPowerShell) {
		t.Errorf("without PowerShell: got %q, %v", out, err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "pwsh"), []byte(standIn), 0o755); err != nil {
		t.Fatal(err)
	}
	h.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	out, err := runHost(t, t.Context(), h, script)
	var exit *HostScriptError
	if !strings.HasPrefix(out, "-NoProfile\n") || !strings.HasSuffix(out, "/script\n"+script+"0022\n") || !errors.As(err, &exit) || exit.Code != 42 {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestHostExitCodes(t *testing.T) {
	tests := []struct {
		script string
		code   int
	}{
		{"exit 1", 1},
		{"exit 42", 42},
		{"exit 255", 255},
		{"kill -TERM $$", 143},
		{"kill -KILL $$", 137},
	}
	for _, tt := range tests {
		_, err := runHost(t, t.Context(), Host{Dir: t.TempDir()}, tt.script)
		var exit *HostScriptError
		if !errors.As(err, &exit) || exit.Code != tt.code {
			t.Errorf("%q: got %v, want exit code %d", tt.script, err, tt.code)
		}
	}
	if _, err := runHost(t, t.Context(), Host{Dir: "/nonexistent"}, "exit 1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory: got %v", err)
	}
}

// TestHostBackground: what a step leaves running ends with it, and does not hold
// the output open.
func TestHostBackground(t *testing.T) {
	dir := t.TempDir()
	_, err := runHost(t, t.Context(), Host{Dir: dir, Env: os.Environ()}, "sleep 1000 >/dev/null 2>&1 & echo $! >pid\n")
	if err != nil {
		t.Fatal(err)
	}
	waitGone(t, dir)
}

// TestHostStopped: a step that is told to stop may tidy up; one that does not end
// is killed after the grace period, with all that it started. Neither is the
// script's own end.
func TestHostStopped(t *testing.T) {
	tests := []struct {
		name, script string
		grace        time.Duration
		want         string
	}{
		{"polite", "trap 'echo ending; exit 7' TERM; echo $$ >pid; touch ready; while :; do sleep 0.01; done", time.Hour, "ending\n"},
		{"well ended", "trap 'exit 0' TERM; echo $$ >pid; touch ready; while :; do sleep 0.01; done", time.Hour, ""},
		{"stubborn", "trap '' TERM; sleep 1000 & echo $! >pid; touch ready; wait", time.Millisecond, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				for {
					if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
						cancel()
						return
					}
					time.Sleep(time.Millisecond)
				}
			}()
			name := filepath.Join(dir, "script")
			if err := os.WriteFile(name, []byte(tt.script), 0o700); err != nil {
				t.Fatal(err)
			}
			out, err := os.Create(filepath.Join(dir, "out"))
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			h := Host{Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH")}, Stdout: out, Grace: tt.grace}
			if err := h.Run(ctx, name); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
			waitGone(t, dir)
			if got, err := os.ReadFile(out.Name()); string(got) != tt.want || err != nil {
				t.Errorf("printed %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// waitGone waits until the process that the script has written down is gone; the
// test's own timeout ends one that stays.
func waitGone(t *testing.T, dir string) {
	t.Helper()
	pid, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	stat := filepath.Join("/proc", string(bytes.TrimSpace(pid)), "stat")
	for {
		text, err := os.ReadFile(stat)
		// A process that nobody waits for stays as a zombie.
		if err != nil || bytes.Contains(text, []byte(") Z ")) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
