package step

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestIn: a command begins in the directory, whatever its name. A missing directory is created.
// If the directory cannot be entered, the command begins where it is.
func TestIn(t *testing.T) {
	top := t.TempDir()
	file := filepath.Join(top, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		top: top, top + "/it's $(touch " + top + "/PWNED) \n`x`": top + "/it's $(touch " + top + "/PWNED) \n`x`", top + "/a/../made": top + "/made",
		file: "/", file + "/x": "/", "": "/", "/": "/",
	} {
		cmd := exec.Command("sh", In(dir, []string{"-c", "pwd -P", "sh"})...)
		cmd.Dir = "/"
		out, err := cmd.Output()
		if err != nil || string(out) != want+"\n" {
			t.Errorf("In(%q): %q (%v), want %q", dir, out, err, want)
		}
	}
	if _, err := os.Stat(top + "/PWNED"); err == nil {
		t.Error("the name of a directory was run")
	}
}
