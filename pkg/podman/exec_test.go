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
		{"image pull -- x", "image pull"},
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

// TestOwnSSH: podman takes any unknown host for the right one.
func TestOwnSSH(t *testing.T) {
	p, _ := answers(t, nil)
	p.URL = "ssh://ci@example.com/run/podman.sock"
	if _, err := p.Output(t.Context(), "ps"); !errors.Is(err, errOwnSSH) {
		t.Errorf("got %v", err)
	}
	if err := p.Start(t.Context(), "n", Streams{Stdin: strings.NewReader("")}, 0); !errors.Is(err, errOwnSSH) {
		t.Errorf("got %v", err)
	}
}

// TestLocked: a database that another process holds is waited for, and not for ever.
func TestLocked(t *testing.T) {
	p, dir := fake(t, "locked")
	if _, err := p.Output(t.Context(), "ps"); err != nil || calls(t, dir) != "ps ps ps" {
		t.Errorf("got %v after %q", err, calls(t, dir))
	}
	p, asked := answers(t, map[string]string{"ps.stderr": "Error: database is locked", "ps.exit": "125"})
	_, err := p.Output(t.Context(), "ps")
	if !Locked(err) || asked() != "ps\nps\nps\nps" {
		t.Errorf("got %v after\n%s", err, asked())
	}
	p, asked = answers(t, map[string]string{"create.stderr": `Error: creating container storage: the container name "database is locked" is already in use`, "create.exit": "1"})
	if _, err := p.Output(t.Context(), "create"); Locked(err) || asked() != "create" {
		t.Errorf("got %v after\n%s", err, asked())
	}
}
