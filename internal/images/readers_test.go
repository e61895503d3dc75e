package images

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

const repository = "registry.example.com:5000/team/app"

func may(t *testing.T, r Readers, want bool) {
	t.Helper()
	if got, err := r.May(repository); err != nil || got != want {
		t.Errorf("%s may read: %v, %v, want %v", r.Project, got, err, want)
	}
}

func TestReaders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "private-images")
	a, b := Readers{dir, "t-project-1"}, Readers{dir, "t-project-2"}
	may(t, a, true)
	if err := a.Add(repository); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a public repository is kept: %v", err)
	}

	// A pull that fails leaves a public repository public, a private one private.
	undo, err := a.Restrict(repository)
	if err != nil {
		t.Fatal(err)
	}
	may(t, a, false)
	may(t, b, false)
	undo()
	may(t, b, true)
	if _, err := a.Restrict(repository); err != nil {
		t.Fatal(err)
	}
	undo, err = b.Restrict(repository)
	if err != nil {
		t.Fatal(err)
	}
	undo()
	may(t, b, false)

	if err := a.Add(repository); err != nil {
		t.Fatal(err)
	}
	may(t, a, true)
	may(t, b, false)
	// Others are not meant, nor what is below.
	if ok, err := b.May(repository + "/base"); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if err := b.Add(repository); err != nil {
		t.Fatal(err)
	}
	may(t, b, true)
	for _, name := range []string{dir, filepath.Join(dir, "registry.example.com:5000+team+app")} {
		if info, err := os.Stat(name); err != nil || info.Mode() != os.ModeDir|0o700 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// What cannot be remembered, or found out, is an error, and never a yes.
func TestReadersFail(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := Readers{filepath.Join(file, "private-images"), "t-project-1"}
	ok, mayErr := r.May(repository)
	_, restrictErr := r.Restrict(repository)
	for _, err := range []error{mayErr, restrictErr, r.Add(repository)} {
		var state *StateError
		if !errors.As(err, &state) || ok {
			t.Errorf("got %v, %v", ok, err)
		}
	}
}
