package images

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// restricted makes records of repositories that nobody has pulled from for two days.
func restricted(t *testing.T, repositories ...string) (r Readers, locks string) {
	t.Helper()
	r = Readers{Dir: filepath.Join(t.TempDir(), "private-images"), Project: "t-project-1"}
	for _, repository := range repositories {
		if _, err := r.restrict(repository); err != nil {
			t.Fatal(err)
		}
		if err := r.Add(repository); err != nil {
			t.Fatal(err)
		}
		r.seen(repository, time.Now().Add(-48*time.Hour))
	}
	return r, filepath.Join(t.TempDir(), "locks")
}

// restrict is [Readers.Restrict] before a pull into an empty storage.
func (r Readers) restrict(repository string) (undo func(), err error) {
	return r.Restrict(repository, repository+":1", func() ([]string, error) { return nil, nil }, func(string) (string, error) { return "", nil })
}

func (r Readers) remembered(t *testing.T) []string {
	t.Helper()
	all, err := r.unseen(time.Now().Add(1000 * time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// lists returns one list of repositories after the other, and counts how often.
func lists(asked *int, each ...[]string) func() (map[string]bool, error) {
	return func() (map[string]bool, error) {
		list := each[min(*asked, len(each)-1)]
		*asked++
		return maps.Collect(func(yield func(string, bool) bool) {
			for _, name := range list {
				if !yield(name, true) {
					return
				}
			}
		}), nil
	}
}

// Only an old repository without images, from which nobody pulls, is forgotten.
func TestForget(t *testing.T) {
	r, locks := restricted(t, "r.example.com/there", "r.example.com/gone", "r.example.com:5000/a/b/gone", "r.example.com/pulled", "r.example.com/comes")
	if _, err := r.restrict("r.example.com/new"); err != nil {
		t.Fatal(err)
	}
	unlock, err := Lock(t.Context(), locks, "r.example.com/pulled", nil, func() {})
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	// "comes" has come before its lock was taken.
	stored := lists(&asked, []string{"r.example.com/there"}, []string{"r.example.com/there", "r.example.com/comes"})
	if err := r.Forget(locks, time.Now(), stored); err != nil {
		t.Fatal(err)
	}
	want := []string{"r.example.com/comes", "r.example.com/new", "r.example.com/pulled", "r.example.com/there"}
	if got := r.remembered(t); !slices.Equal(got, want) || asked != 2 {
		t.Errorf("%q are remembered, want %q; %d lists", got, want, asked)
	}
	if n := entries(t, locks); n != 1 {
		t.Errorf("%d locks are left, want the one that is held", n)
	}
	unlock()
	// A pull with a credential makes it young again, and so does an image that is there.
	if _, err := r.restrict("r.example.com/pulled"); err != nil {
		t.Fatal(err)
	}
	asked = 0
	if err := r.Forget(locks, time.Now(), lists(&asked, []string{"r.example.com/comes"})); err != nil || asked != 1 {
		t.Errorf("%v, %d lists", err, asked)
	}
	asked = 0
	if err := r.Forget(locks, time.Now(), lists(&asked, nil)); err != nil || asked != 0 {
		t.Errorf("%v, %d lists for nothing", err, asked)
	}
	if got := r.remembered(t); !slices.Equal(got, want) {
		t.Errorf("%q are remembered, want %q", got, want)
	}
}

// If the images cannot be listed, nothing is forgotten.
func TestForgetWithoutAList(t *testing.T) {
	r, locks := restricted(t, "r.example.com/gone")
	broken := errors.New("podman is broken")
	for _, failing := range []int{1, 2} {
		asked := 0
		err := r.Forget(locks, time.Now(), func() (map[string]bool, error) {
			if asked++; asked == failing {
				return nil, broken
			}
			return nil, nil
		})
		if !errors.Is(err, broken) || len(r.remembered(t)) != 1 {
			t.Errorf("%v, %q", err, r.remembered(t))
		}
	}
	none := Readers{Dir: filepath.Join(t.TempDir(), "none")}
	if err := none.Forget(locks, time.Now(), nil); err != nil {
		t.Error(err)
	}
	file := filepath.Join(r.Dir, "a-file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	asked := 0
	if err := r.Forget(locks, time.Now(), lists(&asked, nil)); err != nil || len(r.remembered(t)) != 0 {
		t.Errorf("%v, %q", err, r.remembered(t))
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("a file that is not a record is gone: %v", err)
	}
}

// A pull that is long over is forgotten where no storage has what it was for; one that has
// brought an image is not.
func TestForgetOldPulls(t *testing.T) {
	a, b := two(t)
	locks := filepath.Join(t.TempDir(), "locks")
	s := storage{repository + ":1": "everybody's"}
	restrict(t, a, s, "cancelled")
	restrict(t, a, s, "killed")
	long := time.Now().Add(forgetAfter + time.Hour)
	names := func() (map[string]bool, error) {
		there := map[string]bool{}
		for name := range s {
			there[name] = true
		}
		return there, nil
	}
	// Not too early: podman may be at work on it still.
	if err := a.Forget(locks, time.Now(), names); err != nil {
		t.Fatal(err)
	}
	s[repository+":killed"] = "private"
	may(t, b, s, "killed", false)
	if err := a.Forget(locks, long, names); err != nil {
		t.Fatal(err)
	}
	may(t, b, s, "killed", false)
	// What an administrator brings by the name that was cancelled is everybody's now.
	delete(s, repository+":killed")
	if err := a.Forget(locks, long.Add(forgetAfter+time.Hour), names); err != nil {
		t.Fatal(err)
	}
	s[repository+":cancelled"] = "by hand"
	may(t, b, s, "cancelled", true)
	if _, err := os.Lstat(filepath.Join(a.Dir, kept)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is kept of pulls that have brought nothing: %v", err)
	}
}
