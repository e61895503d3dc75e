package process

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLookPath(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for name, mode := range map[string]os.FileMode{first + "/text": 0o644, second + "/text": 0o755, first + "/own": 0o700, second + "/own": 0o755} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(first, "directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := first + ":/nonexistent:" + second
	for name, want := range map[string]string{"text": second + "/text", "own": first + "/own", "directory": "", "none": ""} {
		got, err := LookPath(path, name)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if _, err := LookPath(path, "none"); err == nil || err.Error() != "none not found in "+path {
		t.Errorf("got %v", err)
	}
	if got, err := LookPath("", "text"); err == nil {
		t.Errorf("on no PATH: %q", got)
	}
	for _, tt := range []struct {
		env  []string
		want bool
	}{
		{[]string{"HOME=" + first, "PATH=" + path}, true},
		{[]string{"PATH=" + first}, false},
		{[]string{"XPATH=" + path}, false},
		{nil, false},
	} {
		if got := OnPath(tt.env, "text"); got != tt.want {
			t.Errorf("in the environment %q: %v", tt.env, got)
		}
	}
}
