package podman

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestStartStdin: a container gets all of its input, and no end of it: it would
// take that for the order to stop.
func TestStartStdin(t *testing.T) {
	p, _ := fake(t, "reads stdin")
	script := strings.Repeat("x", megabyte)
	var stdout bytes.Buffer
	err := p.Start(t.Context(), "c", Streams{Stdin: strings.NewReader(script), Stdout: &stdout}, time.Minute)
	if err != nil || stdout.String() != script {
		t.Errorf("got %d bytes of %d, %v", stdout.Len(), len(script), err)
	}
}

// TestStartStdinUnread: a process that does not read its input is not a failure
// to write it: its exit code counts.
func TestStartStdinUnread(t *testing.T) {
	p, _ := fake(t, "ignores stdin")
	err := p.Start(t.Context(), "c", Streams{Stdin: strings.NewReader(strings.Repeat("x", megabyte))}, time.Minute)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 7 || exit.Verb != "start" {
		t.Errorf("got %v, want exit code 7", err)
	}
}

func TestStartNoProgram(t *testing.T) {
	p := &Podman{Program: "/nonexistent/podman"}
	err := p.Start(t.Context(), "c", Streams{Stdin: strings.NewReader("x")}, time.Minute)
	if want := "running podman start: fork/exec /nonexistent/podman: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

// TestStartStopped: what happens, in which order, when the context ends.
func TestStartStopped(t *testing.T) {
	tests := []struct {
		act   string
		grace time.Duration
		want  string
		code  int
	}{
		// The container ends with its input: nothing is killed.
		{"ends at EOF", time.Hour, "start end-of-input", 143},
		// It does not: it is killed after the grace period.
		{"ends at KILL", time.Millisecond, "start kill ended", 137},
		// It was not up yet: it is killed again.
		{"late", time.Millisecond, "start kill refused kill ended", 137},
	}
	for _, tt := range tests {
		t.Run(tt.act, func(t *testing.T) {
			t.Parallel()
			p, dir := fake(t, tt.act)
			if code := stopStarted(t, p, dir, tt.grace); code != tt.code {
				t.Errorf("got exit code %d, want %d", code, tt.code)
			}
			if got := calls(t, dir); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestStartHangs: a podman that hangs, whatever it is told, does not hold the
// driver.
func TestStartHangs(t *testing.T) {
	t.Parallel()
	p, dir := fake(t, "hangs")
	if code := stopStarted(t, p, dir, time.Millisecond); code != -1 {
		t.Errorf("got exit code %d, want that of a signal, -1", code)
	}
	if got := calls(t, dir); !strings.HasPrefix(got, "start kill") {
		t.Errorf("got %q, want kill", got)
	}
}

// stopStarted starts a container, ends the context when it is up, and returns
// its exit code.
func stopStarted(t *testing.T, p *Podman, dir string, grace time.Duration) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		waitFor(dir, "start")
		cancel()
	}()
	err := p.Start(ctx, "c", Streams{Stdin: strings.NewReader("script")}, grace)
	var exit *ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("got %v, want how podman ended", err)
	}
	return exit.Code
}

// TestStartNeverRuns: a `podman start` that hangs before the container runs is
// stopped.
func TestStartNeverRuns(t *testing.T) {
	t.Parallel()
	p, dir := fake(t, "hangs")
	p.Timeouts = Timeouts{Command: time.Second}
	err := p.Start(t.Context(), "c", Streams{Stdin: strings.NewReader("script")}, time.Millisecond)
	var late *TimeoutError
	if !errors.As(err, &late) || err.Error() != "the container did not start: podman start: stopped because it took longer than 2s" {
		t.Errorf("got %v", err)
	}
	if got := calls(t, dir); !strings.HasPrefix(got, "start container container kill") {
		t.Errorf("got %q", got)
	}
}

// TestWatch: which containers are taken for ones that do not run.
func TestWatch(t *testing.T) {
	for state, hangs := range map[string]bool{
		`{"Status": "running"}`:     false,
		`{"Status": "paused"}`:      false,
		`{"Status": "stopping"}`:    false,
		`{"Status": "created"}`:     true,
		`{"Status": "initialized"}`: true,
		`{"Status": "exited"}`:      true,
		`garbage`:                   true,
		``:                          true,
	} {
		p, _ := answers(t, map[string]string{"container-inspect": state})
		p.Timeouts = Timeouts{Command: time.Second}
		ctx, end := context.WithCancelCause(t.Context())
		p.watch(ctx, "c", end)
		if got := ctx.Err() != nil; got != hangs {
			t.Errorf("%s: taken for one that hangs: %v, want %v", state, got, hangs)
		}
		end(nil)
	}
}
