package memo

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"podman-executor/pkg/podman"
)

func TestWriteAndRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "made", "for-it", "memo")
	if _, _, ok := Read(name); ok {
		t.Error("a file that is not there was read")
	}
	for _, text := range []string{"first", "second, and longer", ""} {
		before := time.Now().Add(-time.Second)
		if err := Write(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, written, ok := Read(name)
		if !ok || string(got) != text || written.Before(before) || written.After(time.Now().Add(time.Second)) {
			t.Errorf("%q: %q, %v, %v", text, got, written, ok)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the file there is %v, %v", entries, err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := Write(filepath.Join(name, "below-a-file"), nil); err == nil || !strings.HasPrefix(err.Error(), "remembering below-a-file: ") {
		t.Errorf("below a file: %v", err)
	}
}

// Each oddity is brought to a file that is read without it.
func TestOddFilesAreNone(t *testing.T) {
	tests := map[string]func(name string) error{
		"its group can write to it": func(name string) error { return os.Chmod(name, 0o620) },
		"everybody can write to it": func(name string) error { return os.Chmod(name, 0o602) },
		"it is too large":           func(name string) error { return os.WriteFile(name, bytes.Repeat([]byte("x"), maxSize+1), 0o600) },
		"it is a link": func(name string) error {
			if err := os.Rename(name, name+".target"); err != nil {
				return err
			}
			return os.Symlink(name+".target", name)
		},
		"it is a pipe": func(name string) error {
			if err := os.Remove(name); err != nil {
				return err
			}
			return syscall.Mkfifo(name, 0o600)
		},
		"it is a directory": func(name string) error {
			if err := os.Remove(name); err != nil {
				return err
			}
			return os.Mkdir(name, 0o700)
		},
	}
	if os.Getuid() == 0 {
		tests["it is another user's"] = func(name string) error { return os.Chown(name, 1234, 1234) }
	}
	for oddity, bring := range tests {
		name := filepath.Join(t.TempDir(), "memo")
		if err := Write(name, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, _, ok := Read(name); !ok {
			t.Fatal("it was not read without the oddity")
		}
		if err := bring(name); err != nil {
			t.Fatal(err)
		}
		if text, _, ok := Read(name); ok {
			t.Errorf("%s: %q was read", oddity, text)
		}
	}
}

// What is remembered of one podman is not another one's.
func TestFile(t *testing.T) {
	env := []string{"HOME=/h", "XDG_RUNTIME_DIR=/run/user/7"}
	name := File(&podman.Podman{Program: "/usr/bin/podman", Env: env}, "version")
	if !strings.HasPrefix(name, "/run/user/7/podman-executor/version-") || name != File(&podman.Podman{Program: "/usr/bin/podman", Env: env}, "version") {
		t.Errorf("%q", name)
	}
	for _, other := range []*podman.Podman{
		{Program: "/usr/local/bin/podman", Env: env},
		{Program: "/usr/bin/podman", Env: append(env, "CONTAINERS_STORAGE_CONF=/s")},
		{Program: "/usr/bin/podman", Env: env, URL: "unix:///s"},
	} {
		if File(other, "version") == name {
			t.Errorf("%+v has the file of another podman", other)
		}
	}
}
