package podman

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPIDs(t *testing.T) {
	p, calls := answers(t, map[string]string{"container": "a 4711\nb 0\n"})
	pids, err := p.PIDs(t.Context(), "a", "b")
	if diff := cmp.Diff(map[string]int{"a": 4711, "b": 0}, pids); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if call := "container inspect --format {{.Name}} {{.State.Pid}} -- a b"; calls() != call {
		t.Errorf("got %s", calls())
	}
	// One that is gone does not hide the others.
	p, _ = answers(t, map[string]string{"container": "a 4711\n", "container.exit": "125", "container.stderr": "Error: inspecting object: no such container b"})
	pids, err = p.PIDs(t.Context(), "a", "b")
	if diff := cmp.Diff(map[string]int{"a": 4711}, pids); err != nil || diff != "" {
		t.Errorf("one is gone: %v (-want +got):\n%s", err, diff)
	}
	for _, files := range []map[string]string{{"container": "a x\n"}, {"container": "a\n"}, {"container": "a 1\n", "container.exit": "125"}} {
		p, _ := answers(t, files)
		if pids, err := p.PIDs(t.Context(), "a"); len(pids) > 0 || err == nil {
			t.Errorf("%v: %v", files, pids)
		}
	}
}
