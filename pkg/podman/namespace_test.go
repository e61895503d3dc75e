package podman

import (
	"errors"
	"testing"
)

func TestUnshareElsewhere(t *testing.T) {
	p, _ := fake(t, "answers")
	p.URL, p.Elsewhere = "unix:///run/elsewhere.sock", true
	if err := p.RemoveTree(t.Context(), t.TempDir()); !errors.Is(err, ErrElsewhere) {
		t.Errorf("removing a directory: %v", err)
	}
	if _, err := p.DiskUsage(t.Context(), t.TempDir()); !errors.Is(err, ErrElsewhere) {
		t.Errorf("measuring a directory: %v", err)
	}
	if sizes, err := p.DiskUsage(t.Context()); err != nil || len(sizes) != 0 {
		t.Errorf("measuring nothing: %v, %v", sizes, err)
	}
}
