package images

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

const (
	repository = "registry.example.com:5000/team/app"
	kept       = "registry.example.com:5000+team+app"
)

// storage is the images of a storage, by their names.
type storage map[string]string

func (s storage) look(name string) (string, error) {
	if s[name] == "broken" {
		return "", errors.New("podman fails")
	}
	return s[name], nil
}

// ids are those of all images.
func (s storage) ids() ([]string, error) {
	var ids []string
	for _, id := range s {
		ids = append(ids, id)
	}
	return ids, nil
}

func may(t *testing.T, r Readers, s storage, tag string, want bool) {
	t.Helper()
	if got, err := r.May(repository, s[repository+":"+tag], s.look); err != nil || got != want {
		t.Errorf("%s may read %s: %v, %v, want %v", r.Project, tag, got, err, want)
	}
}

// restrict begins a pull.
func restrict(t *testing.T, r Readers, s storage, tag string) (undo func()) {
	t.Helper()
	undo, err := r.Restrict(repository, repository+":"+tag, s.ids, s.look)
	if err != nil {
		t.Fatal(err)
	}
	return undo
}

func two(t *testing.T) (a, b Readers) {
	dir := filepath.Join(t.TempDir(), "state", "private-images")
	return Readers{dir, "t-project-1"}, Readers{dir, "t-project-2"}
}

func TestReaders(t *testing.T) {
	a, b := two(t)
	s := storage{}
	may(t, a, s, "1", true)
	if _, err := os.Stat(a.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a public repository is kept: %v", err)
	}

	// A pull that fails leaves a public repository public.
	restrict(t, a, s, "1")()
	may(t, b, storage{repository + ":1": "by-hand"}, "1", true)
	if _, err := os.Lstat(filepath.Join(a.Dir, kept)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is kept of a pull that has failed: %v", err)
	}

	// A pull that has brought something does not, whether or not it succeeded.
	restrict(t, a, s, "1")
	s[repository+":1"] = "private"
	may(t, a, s, "1", false)
	may(t, b, s, "1", false)
	if err := a.Add(repository); err != nil {
		t.Fatal(err)
	}
	may(t, a, s, "1", true)
	may(t, b, s, "1", false)

	// Nor does a later pull by another project.
	if undo := restrict(t, b, s, "2"); undo != nil {
		t.Error("a pull from a repository that is restricted would open it")
	}
	may(t, b, s, "1", false)

	// Others are not meant, nor what is below.
	if ok, err := b.May(repository+"/base", "x", s.look); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if err := b.Add(repository); err != nil {
		t.Fatal(err)
	}
	may(t, b, s, "1", true)
	for _, name := range []string{a.Dir, filepath.Join(a.Dir, kept)} {
		if info, err := os.Stat(name); err != nil || info.Mode() != os.ModeDir|0o700 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// TestReadersOpen: what was everybody's before a pull stays everybody's, whatever becomes of
// the pull, and whoever pulls with whatever credentials.
func TestReadersOpen(t *testing.T) {
	a, b := two(t)
	s := storage{repository + ":1": "one", repository + ":2": "two"}
	restrict(t, a, s, "1")
	may(t, b, s, "1", true)
	may(t, b, s, "2", true)
	s[repository+":1"] = "new"
	may(t, b, s, "1", false)
	may(t, b, s, "2", true)
	if err := a.Add(repository); err != nil {
		t.Fatal(err)
	}
	may(t, b, s, "1", false)
	may(t, b, s, "2", true)
	may(t, a, s, "1", true)
}

// TestReadersKilled: a pull whose driver was killed restricts what it brings, whenever that
// comes, and nothing where it brings nothing.
func TestReadersKilled(t *testing.T) {
	a, b := two(t)
	s := storage{}
	restrict(t, a, s, "killed")
	s[repository+":1"] = "by-hand-later"
	may(t, b, s, "1", true)

	// Somebody else's pull of the same name fails meanwhile, or is killed, too. Its end is
	// not the other's: podman may outlive its driver.
	if undo := restrict(t, b, s, "killed"); undo != nil {
		t.Error("a pull takes back another's restriction")
	}
	restrict(t, b, s, "other")()
	may(t, b, s, "1", true)
	s[repository+":killed"] = "private"
	may(t, b, s, "killed", false)
	may(t, b, s, "1", true) // it was there when the others began
	s[repository+":3"] = "whose"
	may(t, b, s, "3", false)

	// In doubt the answer is "no".
	s[repository+":killed"] = "broken"
	may(t, b, s, "3", false)
	delete(s, repository+":killed")
	may(t, b, s, "3", true)
}

// An image that an earlier pull brings while the next one lists what is everybody's is not
// everybody's.
func TestReadersLateImage(t *testing.T) {
	a, b := two(t)
	s := storage{}
	restrict(t, a, s, "killed")
	comes := func() ([]string, error) {
		s[repository+":killed"] = "private"
		return s.ids()
	}
	if _, err := b.Restrict(repository, repository+":other", comes, s.look); err != nil {
		t.Fatal(err)
	}
	may(t, b, s, "killed", false)
}

// TestReadersOfOlderVersions: a directory without pulls restricts; who has pulled may read.
func TestReadersOfOlderVersions(t *testing.T) {
	a, b := two(t)
	if err := os.MkdirAll(filepath.Join(a.Dir, kept), 0o700); err != nil {
		t.Fatal(err)
	}
	s := storage{repository + ":1": "whose"}
	may(t, a, s, "1", false)
	if undo := restrict(t, a, s, "2"); undo != nil {
		t.Error("a pull would open what an older version has restricted")
	}
	may(t, b, s, "1", false)
	if err := a.Add(repository); err != nil {
		t.Fatal(err)
	}
	may(t, a, s, "1", true)
	may(t, b, s, "1", false)
}

// If something cannot be recorded, or found out, that is an error, and never a yes.
func TestReadersFail(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := Readers{filepath.Join(file, "private-images"), "t-project-1"}
	s := storage{}
	ok, mayErr := r.May(repository, "x", s.look)
	_, restrictErr := r.Restrict(repository, repository+":1", s.ids, s.look)
	for _, err := range []error{mayErr, restrictErr, r.Add(repository)} {
		var state *StateError
		if !errors.As(err, &state) || ok {
			t.Errorf("got %v, %v", ok, err)
		}
	}
}
