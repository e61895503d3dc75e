package teardown

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podman-executor/internal/plan"
	"podman-executor/internal/remote"
	"podman-executor/internal/secret"
	"podman-executor/pkg/podman"
)

// job is a job with one of each thing, and a podman that writes down its commands and
// fails at the one of a verb.
func job(t *testing.T, failing string) (podman.Podman, plan.Plan, func() string) {
	t.Helper()
	dir := t.TempDir()
	program, log := filepath.Join(dir, "podman"), filepath.Join(dir, "log")
	script := "#!/bin/sh\necho \"$*\" >>" + log + "\n[ \"$1\" != '" + failing + "' ]\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	p := plan.Plan{
		UserContainer: "user", Network: "net", AuthDir: filepath.Join(dir, "run"),
		PinDir: filepath.Join(dir, "pins"), SecretsDir: filepath.Join(dir, "secrets"),
		Launch: &plan.Launch{Program: "/usr/bin/launcher", Dir: filepath.Join(dir, "launch")},
	}
	if err := errors.Join(os.Mkdir(p.PinDir, 0o700), os.Mkdir(p.AuthDir, 0o700), os.Mkdir(p.Launch.Dir, 0o700), secret.Make(p.SecretsDir, "")); err != nil {
		t.Fatal(err)
	}
	pm := podman.Podman{Program: program, Env: []string{"PATH=" + podman.Path}}
	if err := secret.Create(t.Context(), &pm, p.SecretsDir, podman.NewSecret{Name: "one"}); err != nil && failing != "secret" {
		t.Fatal(err)
	}
	_ = os.Remove(log)
	return pm, p, func() string {
		text, _ := os.ReadFile(log)
		var verbs []string
		for line := range strings.Lines(string(text)) {
			verbs = append(verbs, strings.Fields(line)[0])
		}
		return strings.Join(verbs, " ")
	}
}

func connected(_ context.Context, pm podman.Podman, _ remote.Endpoint) (podman.Podman, func(), error) {
	return pm, func() {}, nil
}

func there(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// TestUndo: what cannot be removed does not keep Undo from the rest, and the runtime
// directory stays for the next prepare.
func TestUndo(t *testing.T) {
	for failing, want := range map[string]Part{"": 0, "rm": Containers, "network": Containers, "unshare": Volumes, "secret": Secrets} {
		pm, p, commands := job(t, failing)
		p.Keep = true // for a job that runs
		err := Undo(t.Context(), &pm, p)
		var failed *Error
		if errors.As(err, &failed) != (want != 0) || failed != nil && failed.Part != want {
			t.Errorf("%q: %v", failing, err)
		}
		if got := commands(); got != "rm network unshare secret" {
			t.Errorf("%q: commands %q", failing, got)
		}
		if there(p.Launch.Dir) || there(p.AuthDir) != (want != 0) || there(p.SecretsDir) != (want == Secrets) {
			t.Errorf("%q: launch directory %v, runtime directory %v, secrets %v", failing, there(p.Launch.Dir), there(p.AuthDir), there(p.SecretsDir))
		}
	}
}

// TestRemove stops at the first part that cannot be removed.
func TestRemove(t *testing.T) {
	for _, test := range []struct {
		failing, commands string
		want              Part
	}{
		{"", "rm network unshare secret", 0},
		{"rm", "rm rm rm", Containers},
		{"unshare", "rm network unshare", Volumes},
		{"secret", "rm network unshare secret", Secrets},
	} {
		pm, p, commands := job(t, test.failing)
		err := Remove(t.Context(), pm, p, connected)
		var failed *Error
		if errors.As(err, &failed) != (test.want != 0) || failed != nil && failed.Part != test.want {
			t.Errorf("%q: %v", test.failing, err)
		}
		if got := commands(); got != test.commands {
			t.Errorf("%q: commands %q, want %q", test.failing, got, test.commands)
		}
		if there(p.Launch.Dir) || there(p.AuthDir) != (test.want != 0) {
			t.Errorf("%q: launch directory %v, runtime directory %v", test.failing, there(p.Launch.Dir), there(p.AuthDir))
		}
	}
}

// TestRemoveUnconnected removes what needs no podman service, although the service does not
// answer; and asks none for containers that are kept.
func TestRemoveUnconnected(t *testing.T) {
	silent := errors.New("no answer")
	connect := func(context.Context, podman.Podman, remote.Endpoint) (podman.Podman, func(), error) {
		return podman.Podman{}, nil, silent
	}
	pm, p, commands := job(t, "")
	if err := Remove(t.Context(), pm, p, connect); !errors.Is(err, silent) || there(p.Launch.Dir) || !there(p.AuthDir) || commands() != "" {
		t.Errorf("%v, launch directory %v, runtime directory %v, commands %q", err, there(p.Launch.Dir), there(p.AuthDir), commands())
	}
	pm, p, commands = job(t, "")
	p.Keep = true
	if err := Remove(t.Context(), pm, p, connect); err != nil || there(p.AuthDir) || commands() != "" {
		t.Errorf("kept: %v, runtime directory %v, commands %q", err, there(p.AuthDir), commands())
	}
}
