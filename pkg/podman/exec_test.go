package podman

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestVerb(t *testing.T) {
	tests := []struct{ args, want string }{
		{"", ""},
		{"create --name x", "create"},
		{"image pull --quiet -- x", "image pull"},
		{"container inspect x", "container inspect"},
		{"volume create x", "volume create"},
		{"network rm x", "network rm"},
		{"image", "image"},
	}
	for _, tt := range tests {
		if got := verb(strings.Fields(tt.args)); got != tt.want {
			t.Errorf("verb(%q) = %q, want %q", tt.args, got, tt.want)
		}
	}
}

func TestTail(t *testing.T) {
	var all tail
	for i := range maxStderr {
		n, err := fmt.Fprintf(&all, "%d\n", i)
		if want := len(fmt.Sprintf("%d\n", i)); n != want || err != nil {
			t.Fatalf("wrote %d, %v, want %d", n, err, want)
		}
	}
	if !strings.HasSuffix(string(all.buffer), fmt.Sprintf("\n%d\n", maxStderr-1)) || len(all.buffer) != maxStderr {
		t.Errorf("got %d bytes, ending %q", len(all.buffer), all.buffer[len(all.buffer)-20:])
	}
	var one tail
	_, _ = one.Write([]byte(strings.Repeat("x", 3*maxStderr) + "end"))
	if !strings.HasSuffix(string(one.buffer), "xend") || len(one.buffer) != maxStderr {
		t.Errorf("of one write: got %d bytes", len(one.buffer))
	}
}

func TestMessage(t *testing.T) {
	const warning = `time="2026-11-21T18:42:42Z" level=warning msg="Failed, retrying in 1s ... (1/3). Error: dial tcp"`
	tests := []struct{ said, want string }{
		{"", ""},
		{"\n \n", ""},
		{"Error: no such image\n", "no such image"},
		{"Error: one:\n\ttwo\nError: three", "one:; two; three"},
		{warning + "\nError: manifest unknown\n", "manifest unknown"},
		{warning + "\n", warning},
		{`time="now" level=error msg="bad"`, `time="now" level=error msg="bad"`},
	}
	for _, tt := range tests {
		all := tail{buffer: []byte(tt.said)}
		if got := all.message(); got != tt.want {
			t.Errorf("message of %q = %q, want %q", tt.said, got, tt.want)
		}
	}
}

// TestCrash: of a podman that crashes the reason is kept, and not the registers.
func TestCrash(t *testing.T) {
	for _, reason := range []string{
		"runtime/cgo: pthread_create failed: Resource temporarily unavailable",
		"panic: runtime error: index out of range [1] with length 1",
		"fatal error: newosproc",
	} {
		var all tail
		fmt.Fprintf(&all, "%s\nSIGABRT: abort\n", reason)
		for range maxStderr {
			fmt.Fprint(&all, "0x00007fff052480d0:  0x0000000000000000\n")
		}
		if got := all.message(); got != reason || len(all.head) != maxHead {
			t.Errorf("got %q, %d bytes kept", got, len(all.head))
		}
	}
}

func TestBounded(t *testing.T) {
	var b bounded
	if n, err := b.Write(make([]byte, maxOutput)); n != maxOutput || err != nil || b.cut {
		t.Errorf("the first %d bytes: %d, %v, cut %v", maxOutput, n, err, b.cut)
	}
	// A writer that returned less than it got would end podman's output early.
	if n, err := b.Write([]byte("xyz")); n != 3 || err != nil || !b.cut || b.buffer.Len() != maxOutput {
		t.Errorf("what is too much: %d, %v, cut %v, %d kept", n, err, b.cut, b.buffer.Len())
	}
}

// TestOutputEnvironment: podman gets its own environment, / as its directory, a
// process group of its own and no input; with a service, its address first.
func TestOutputEnvironment(t *testing.T) {
	p, dir := fake(t, "environment")
	t.Setenv("CONTAINER_HOST", "tcp://evil")
	got, err := p.Output(t.Context(), "version", "x y")
	want := fmt.Sprintf("[FAKE_PODMAN=environment FAKE_DIR=%s]\n/\n\"\"\n0\n[\"version\" \"x y\"]\n", dir)
	if string(got) != want || err != nil {
		t.Errorf("got\n%s%v, want\n%s", got, err, want)
	}
	p.URL = "unix:///run/podman.sock"
	got, err = p.Output(t.Context(), "version")
	if want := "[\"--url\" \"unix:///run/podman.sock\" \"version\"]\n"; !strings.HasSuffix(string(got), want) || err != nil {
		t.Errorf("got\n%s%v, want the end\n%s", got, err, want)
	}
}

// TestNoEnvironment: without an environment podman has none, and not the
// caller's, which holds the job's secrets.
func TestNoEnvironment(t *testing.T) {
	t.Setenv("SECRET", "s3cret")
	p := &Podman{Program: "/usr/bin/env"}
	if out, err := p.Output(t.Context()); len(out) > 0 || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestOutputFails(t *testing.T) {
	p, _ := fake(t, "fails")
	var seen []Command
	p.Observe = func(c Command) { seen = append(seen, c) }
	out, err := p.Output(t.Context(), "image", "pull", "s3cret")
	if string(out) != "some\n" {
		t.Errorf("got the output %q", out)
	}
	var exit *ExitError
	if !errors.As(err, &exit) || *exit != (ExitError{Verb: "image pull", Code: 125, Stderr: "this; that"}) {
		t.Fatalf("got %#v", err)
	}
	if want := "podman image pull: exit status 125: this; that"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if len(seen) != 1 || seen[0].Args[2] != "s3cret" || seen[0].Err != err {
		t.Errorf("observed %+v", seen)
	}
}

func TestOutputFloods(t *testing.T) {
	p, _ := fake(t, "floods")
	if out, err := p.Output(t.Context(), "ps"); len(out) > 0 || err == nil || err.Error() != "podman ps: more than 16 MiB of output" {
		t.Errorf("got %d bytes, %v", len(out), err)
	}
}

func TestOutputKilled(t *testing.T) {
	p, _ := fake(t, "killed")
	_, err := p.Output(t.Context(), "ps")
	if want := "podman ps: ended by a signal"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestOutputNoProgram(t *testing.T) {
	p := &Podman{Program: "/nonexistent/podman"}
	_, err := p.Output(t.Context(), "ps", "s3cret")
	if !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}

// TestOutputCancelled: podman is asked to end, and not killed: it has locks and
// half-made containers to tidy up.
func TestOutputCancelled(t *testing.T) {
	p, dir := fake(t, "waits")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		waitFor(dir, "ready")
		cancel()
	}()
	_, err := p.Output(ctx, "image", "pull")
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("got %v, want the exit code of podman's own handler, 3", err)
	}
}
