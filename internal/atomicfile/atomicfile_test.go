package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWrite(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	name := filepath.Join(dir, "name")
	if err := os.WriteFile(other, []byte("other"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, name); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first", "", "second"} {
		if err := Write(name, []byte(want)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(name)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if got, err := os.ReadFile(other); err != nil || string(got) != "other" {
		t.Errorf("the file behind the link: %q, %v", got, err)
	}
	// What cannot be replaced stays, and nothing is left behind.
	if err := os.MkdirAll(filepath.Join(dir, "directory"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "directory"), nil); err == nil {
		t.Error("a directory was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
	if err := Write(filepath.Join(dir, "none", "name"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
}
