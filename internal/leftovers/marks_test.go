package leftovers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podman-executor/internal/memo"
	"podman-executor/pkg/podman"
)

// scene is a runtime directory that somebody has looked at the containers of.
func scene(t *testing.T) (Roots, *podman.Podman) {
	t.Helper()
	dir := t.TempDir()
	pm := &podman.Podman{Program: "/usr/bin/podman", Env: []string{"XDG_RUNTIME_DIR=" + dir}}
	if err := RecordAsked(pm); err != nil {
		t.Fatal(err)
	}
	return Roots{RuntimeDir: filepath.Join(dir, "podman-executor")}, pm
}

func TestNoMarks(t *testing.T) {
	roots, pm := scene(t)
	owner, _ := runner(t)
	makeDir(t, filepath.Join(roots.RuntimeDir, "custom-executor2"), &owner)
	makeDir(t, filepath.Join(roots.RuntimeDir, "custom-executor3"), nil)
	e, err := roots.Marks(pm, filepath.Join(roots.RuntimeDir, "custom-executor1"), time.Now().Add(lookEvery-time.Minute))
	if err != nil || e.AskPodman || len(e.Orphans) > 0 {
		t.Errorf("%+v, %v", e, err)
	}
}

// Each of these alone makes prepare ask podman.
func TestMarks(t *testing.T) {
	living, _ := runner(t)
	dead, end := runner(t)
	end()
	afar := living
	afar.Host += ".elsewhere"
	mark := func(name string, text string) func(*testing.T, Roots, *podman.Podman) {
		return func(t *testing.T, p Roots, _ *podman.Podman) {
			t.Helper()
			dir := filepath.Join(p.RuntimeDir, name)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, ownerFile), text)
		}
	}
	look := func(change func(file string) error) func(*testing.T, Roots, *podman.Podman) {
		return func(t *testing.T, _ Roots, pm *podman.Podman) {
			t.Helper()
			if err := change(memo.File(pm, "looked")); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := func(when time.Duration) func(string) error {
		return func(file string) error { return os.Chtimes(file, time.Time{}, time.Now().Add(when)) }
	}
	tests := map[string]struct {
		bring func(*testing.T, Roots, *podman.Podman)
		over  int
	}{
		"a dead runner's job":         {mark("custom-executor2", dead.String()), 1},
		"a job whose directory went":  {mark("custom-executor2", living.String()+"\n"+filepath.Join(t.TempDir(), "gone")), 1},
		"a job of another host":       {mark("custom-executor2", afar.String()), 0},
		"an earlier attempt":          {mark("custom-executor1", living.String()), 0},
		"no look since the boot":      {look(os.Remove), 0},
		"a look of another boot":      {look(func(file string) error { return os.WriteFile(file, []byte("host/boot/1"), 0o600) }), 0},
		"a look long ago":             {look(at(-lookEvery)), 0},
		"a look in the future":        {look(at(time.Minute)), 0},
		"a look that others may have": {look(func(file string) error { return os.Chmod(file, 0o622) }), 0},
		"a service":                   {func(_ *testing.T, _ Roots, pm *podman.Podman) { pm.URL = "unix:///s"; _ = RecordAsked(pm) }, 0},
		"another podman":              {func(_ *testing.T, _ Roots, pm *podman.Podman) { pm.Env = append(pm.Env, "A=b") }, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			roots, pm := scene(t)
			test.bring(t, roots, pm)
			e, err := roots.Marks(pm, filepath.Join(roots.RuntimeDir, "custom-executor1"), time.Now())
			if err != nil || !e.AskPodman || len(e.Orphans) != test.over {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
}

func TestMarksThatCannotBeRead(t *testing.T) {
	roots, pm := scene(t)
	roots.RuntimeDir = filepath.Join(roots.RuntimeDir, "file")
	writeFile(t, roots.RuntimeDir, "")
	if e, err := roots.Marks(pm, "", time.Now()); err == nil || !e.AskPodman {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestClear(t *testing.T) {
	owner, _ := runner(t)
	dir := filepath.Join(t.TempDir(), "x")
	if err := Clear(dir); err != nil {
		t.Errorf("no directory: %v", err)
	}
	makeDir(t, dir, &owner)
	writeFile(t, filepath.Join(dir, "auth.json"), "secret")
	if err := Clear(dir); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != ownerFile {
		t.Errorf("left: %v, %v", entries, err)
	}
	if err := Clear(filepath.Join(dir, ownerFile)); err == nil || !strings.HasPrefix(err.Error(), "clearing the job's directory: ") {
		t.Errorf("a file: %v", err)
	}
}
