package podman

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProbeArgs(t *testing.T) {
	want := []string{
		"run", "--rm", "--pull=never", "--http-proxy=false", "--timeout", "60", "--workdir", "/", "--entrypoint", "sh",
		"--network=host", "--", "-x", "-c", `echo "$@"`, "sh", "a", "--b",
	}
	got := Probe{Options: []string{"--network=host"}, Image: "-x", Script: `echo "$@"`, Words: []string{"a", "--b"}}.Args()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestProbe: an output that is lost is asked for again, a few times.
func TestProbe(t *testing.T) {
	for lost, want := range map[int]string{0: "said\n", 2: "said\n", 3: ""} {
		calls := filepath.Join(t.TempDir(), "calls")
		program := filepath.Join(t.TempDir(), "podman")
		text := fmt.Sprintf("#!/bin/sh\necho >>%[1]s\n[ $(wc -l <%[1]s) -le %d ] || printf 'said\\n%s'\n", calls, lost, probeEnd)
		if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		p := &Podman{Program: program, Env: []string{"PATH=" + Path}}
		got, err := p.Probe(t.Context(), Probe{Image: "x", Script: "echo said"})
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%d outputs lost: got %q, %v, want %q", lost, got, err, want)
		}
	}
}
