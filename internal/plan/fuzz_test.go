package plan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// FuzzPlan: any file is refused, without a word of what is in it, or is a plan that
// is written as it was read.
func FuzzPlan(f *testing.F) {
	text, err := json.Marshal(full)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(text), "", "{", "null", `{"version": 1}`, `{"version": 1, "grace": -1}`, `{"version": 2}`, `{"version": 1, "podman": {"env": [null]}}`, `{"version": 1}{}`} {
		f.Add(strings.Replace(seed, `"version":0`, `"version":1`, 1))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(dir, fileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Read(dir)
		if err != nil {
			if !reflect.DeepEqual(p, Plan{}) || len(err.Error()) > 200 || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q: %+v, %q", text, p, err)
			}
			return
		}
		if err := Write(dir, p); err != nil {
			t.Fatal(err)
		}
		first, err := os.ReadFile(filepath.Join(dir, fileName))
		if err != nil {
			t.Fatal(err)
		}
		again, err := Read(dir)
		if err != nil || Write(dir, again) != nil {
			t.Fatalf("%q is written as %q: %v", text, first, err)
		}
		if second, err := os.ReadFile(filepath.Join(dir, fileName)); err != nil || string(first) != string(second) {
			t.Errorf("%q is written as %q, then as %q, %v", text, first, second, err)
		}
	})
}
