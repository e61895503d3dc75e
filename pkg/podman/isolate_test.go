package podman

import (
	"errors"
	"strings"
	"testing"
)

// TestKeepIsolated: the rules are those of this machine's rootless podman, or nobody's here.
func TestKeepIsolated(t *testing.T) {
	p, calls := answers(t, nil)
	if err := p.KeepIsolated(t.Context()); err != nil || !strings.HasPrefix(calls(), "unshare --rootless-netns sh -c ") {
		t.Errorf("%v, got %s", err, calls())
	}
	p.URL = "unix:///run/x"
	if err := p.KeepIsolated(t.Context()); !errors.Is(err, ErrRemote) {
		t.Errorf("of a service: %v", err)
	}
}
