package podman

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func answering(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVolumes(t *testing.T) {
	p, dir := fake(t, "answers")
	answering(t, dir, "volume-ls", `[{"Name": "v", "Mountpoint": "/m", "Labels": {"a": "b"}, "Driver": "local"}]`)
	list, err := p.Volumes(t.Context(), "label=a", "a", "c")
	if err != nil || len(list) != 1 || list[0].Name != "v" || list[0].Mountpoint != "/m" || list[0].Labels["a"] != "b" {
		t.Errorf("got %+v, %v", list, err)
	}
	answering(t, dir, "volume-ls", "none")
	if _, err := p.Volumes(t.Context(), "label=a"); err == nil || !strings.HasPrefix(err.Error(), "podman volume ls: reading its output: ") {
		t.Errorf("garbage: %v", err)
	}
}

// The words are those of podman 4.3.1 and 5.4.2: those that are there are printed,
// whether others are or not.
func TestEnsureVolumes(t *testing.T) {
	const inspect = "volume inspect --format {{.Name}} -- p-builds p-cache"
	const createBuilds, createCache = "volume create --label a=1 --label b=2 -- p-builds", "volume create -- p-cache"
	tests := []struct {
		name  string
		files map[string]string
		calls []string
		fails string
	}{
		{"both are there", map[string]string{"volume-inspect": "p-builds\np-cache\n"}, nil, ""},
		{"none is there", map[string]string{"volume-inspect.exit": "125", "volume-inspect.stderr": "no such volume p-cache\nError: no such volume p-builds"}, []string{createBuilds, createCache}, ""},
		{"one is there", map[string]string{"volume-inspect": "p-cache\n", "volume-inspect.exit": "125", "volume-inspect.stderr": "Error: inspecting object: no such volume p-builds"}, []string{createBuilds}, ""},
		{"podman finds another one that begins so", map[string]string{"volume-inspect": "p-builds\np-cache-old\n"}, []string{createCache}, ""},
		{"podman finds two that begin so", map[string]string{"volume-inspect.exit": "125", "volume-inspect.stderr": `Error: inspecting volume p-builds: more than one result for volume name "p-builds": volume already exists`}, []string{createBuilds, createCache}, ""},
		{"another job made it meanwhile", map[string]string{"volume-inspect": "p-builds", "volume-inspect.exit": "125", "volume-inspect.stderr": "Error: no such volume p-cache", "volume-create.exit": "125", "volume-create.stderr": "Error: volume with name p-cache already exists: volume already exists"}, []string{createCache}, ""},
		{"podman does not work", map[string]string{"volume-inspect.exit": "125", "volume-inspect.stderr": "Error: permission denied"}, nil, "podman volume inspect: exit status 125: permission denied"},
		{"the disk is full", map[string]string{"volume-inspect.exit": "125", "volume-inspect.stderr": "Error: no such volume p-builds", "volume-create.exit": "125", "volume-create.stderr": "Error: no space left on device"}, []string{createBuilds}, "podman volume create: exit status 125: no space left on device"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, calls := answers(t, tt.files)
			err := p.EnsureVolumes(t.Context(), NewVolume{Name: "p-builds", Labels: map[string]string{"b": "2", "a": "1"}}, NewVolume{Name: "p-cache"})
			if (err != nil) != (tt.fails != "") || err != nil && err.Error() != tt.fails {
				t.Errorf("got the error %v, want %q", err, tt.fails)
			}
			if diff := cmp.Diff(append([]string{inspect}, tt.calls...), strings.Split(calls(), "\n")); diff != "" {
				t.Errorf("podman's calls (-want +got):\n%s", diff)
			}
		})
	}
	p, calls := answers(t, nil)
	if err := p.EnsureVolumes(t.Context()); err != nil || calls() != "" {
		t.Errorf("no volume: got %v, and calls %q", err, calls())
	}
}

// The words are those of podman 4.3.1.
func TestRemovals(t *testing.T) {
	remove := map[string]func(*Podman) error{
		"volume-rm":  func(p *Podman) error { return p.RemoveVolume(t.Context(), "x") },
		"network-rm": func(p *Podman) error { return p.RemoveUnusedNetwork(t.Context(), "x") },
	}
	for _, test := range []struct {
		verb, exit, stderr string
		want               func(error) bool
	}{
		{"volume-rm", "0", "", func(err error) bool { return err == nil }},
		{"volume-rm", "2", "Error: volume x is being used by the following container(s): abc: volume is being used", func(err error) bool { return errors.Is(err, ErrVolumeInUse) }},
		{"volume-rm", "1", `Error: no volume with name "x" found: no such volume`, func(err error) bool { return err == nil }},
		{"volume-rm", "1", "Error: other", func(err error) bool { return isExit(err, 1) }},
		{"volume-rm", "125", "Error: no such volume", func(err error) bool { return isExit(err, 125) }},
		{"network-rm", "0", "", func(err error) bool { return err == nil }},
		{"network-rm", "1", "Error: unable to find network with name or ID x: network not found", func(err error) bool { return err == nil }},
		{"network-rm", "2", `Error: "x" has associated containers with it`, func(err error) bool { return isExit(err, 2) }},
	} {
		p, dir := fake(t, "answers")
		answering(t, dir, test.verb+".exit", test.exit)
		answering(t, dir, test.verb+".stderr", test.stderr)
		if err := remove[test.verb](p); !test.want(err) {
			t.Errorf("%s ends with %s, %s: %v", test.verb, test.exit, test.stderr, err)
		}
	}
}
