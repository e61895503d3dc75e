package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podman-executor/pkg/podman"
)

// recorder returns a podman that writes down its arguments, and where the file of the
// secret was there before the secret, and what it has written.
func recorder(t *testing.T, names string) (*podman.Podman, func() string) {
	t.Helper()
	dir := t.TempDir()
	program, log := filepath.Join(dir, "podman"), filepath.Join(dir, "log")
	script := fmt.Sprintf("#!/bin/sh\necho \"$* $(ls '%s' 2>&1)\" >>%s\ncat >/dev/null\n", names, log)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return &podman.Podman{Program: program, Env: []string{"PATH=" + podman.Path}}, func() string {
		text, _ := os.ReadFile(log)
		return string(text)
	}
}

// The file for a secret exists before the secret, and until the secret is gone. A service keeps
// values in its own storage, because it may not have this machine's directories.
func TestCreateAndRemove(t *testing.T) {
	for _, test := range []struct{ name, service, opts string }{
		{"dir", "", "--driver-opts path=DIR/values "}, {"dir", "unix:///run/podman.sock", ""}, {"a,b", "", ""}, {"a\"b", "", ""},
	} {
		dir := filepath.Join(Parent(t.TempDir()), test.name)
		p, calls := recorder(t, filepath.Join(dir, "names"))
		p.URL = test.service
		if err := Make(dir, test.service); err != nil {
			t.Fatal(err)
		}
		if got := Service(dir); got != test.service {
			t.Errorf("the service is %q, want %q", got, test.service)
		}
		if err := Create(t.Context(), p, dir, podman.NewSecret{Name: "n", Value: []byte("value")}); err != nil {
			t.Fatal(err)
		}
		if err := Remove(t.Context(), p, dir); err != nil {
			t.Fatal(err)
		}
		if err := Remove(t.Context(), p, dir); err != nil {
			t.Errorf("of what is gone: %v", err)
		}
		url := ""
		if test.service != "" {
			url = "--url " + test.service + " "
		}
		want := url + "secret create --driver file " + strings.ReplaceAll(test.opts, "DIR", dir) + "-- n - n\n" + url + "secret rm -- n n\n"
		if got := calls(); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the directory is left: %v", err)
		}
	}
}

// If podman cannot remove them, their files stay.
func TestRemoveFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	p, _ := recorder(t, dir)
	if err := errors.Join(Make(dir, ""), Create(t.Context(), p, dir, podman.NewSecret{Name: "n", Value: []byte("value")})); err != nil {
		t.Fatal(err)
	}
	p.Program = "/bin/false"
	if err := Remove(t.Context(), p, dir); err == nil || err.Error() != "removing the job's podman secrets: podman secret rm: exit status 1" {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "names", "n")); err != nil {
		t.Error(err)
	}
	for _, name := range []string{dir, filepath.Join(dir, "names")} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}
