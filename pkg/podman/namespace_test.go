package podman

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestUnshareRemote(t *testing.T) {
	p, _ := fake(t, "answers")
	p.URL, p.Remote = "unix:///run/elsewhere.sock", true
	if err := p.RemoveTree(t.Context(), t.TempDir()); !errors.Is(err, ErrRemote) {
		t.Errorf("removing a directory: %v", err)
	}
	if _, err := p.DiskUsage(t.Context(), t.TempDir()); !errors.Is(err, ErrRemote) {
		t.Errorf("measuring a directory: %v", err)
	}
	if sizes, err := p.DiskUsage(t.Context()); err != nil || len(sizes) != 0 {
		t.Errorf("measuring nothing: %v, %v", sizes, err)
	}
}

// TestNamespaceOfRoot: podman as root has no namespace: programs run right here.
func TestNamespaceOfRoot(t *testing.T) {
	p, calls := answers(t, map[string]string{"unshare.exit": "125", "unshare.stderr": "Error: please use unshare with rootless"})
	dir := t.TempDir()
	if sizes, err := p.DiskUsage(t.Context(), dir); err != nil || len(sizes) != 1 {
		t.Errorf("got %v, %v", sizes, err)
	}
	if err := p.RunInNamespace(t.Context(), "/bin/sh", "-c", `echo said >&2; exit 3`); err == nil || err.Error() != "podman unshare: exit status 3: said" {
		t.Errorf("got %v", err)
	}
	if err := p.RemoveTree(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
	if got := strings.Count(calls(), "unshare"); got != 3 {
		t.Errorf("podman was asked %d times", got)
	}
}

// What a program in the namespace says, which may quote the names of a job's files, is not taken
// for podman's refusal: the program is not run again outside.
func TestNamespaceWithPodmansWords(t *testing.T) {
	p, _ := answers(t, map[string]string{"unshare.exit": "1", "unshare.stderr": "rm: cannot remove 'use unshare with rootless': Permission denied"})
	dir := t.TempDir()
	if err := p.RemoveTree(t.Context(), dir); err == nil {
		t.Error("no error")
	}
	if _, err := os.Lstat(dir); err != nil {
		t.Errorf("the directory was removed outside: %v", err)
	}
}
