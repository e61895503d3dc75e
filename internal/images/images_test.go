package images

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containers/common/pkg/config"
	"github.com/google/go-cmp/cmp"

	"podman-executor/pkg/podman"
)

// finder returns a Finder, and podman's calls so far. This podman has the images
// whose names begin with "here", and fails for those that begin with "broken".
func finder(t *testing.T) (*Finder, func() []string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "podman")
	const script = `#!/bin/sh
shift 5 # image inspect --format TEMPLATE --
answer=
for name; do
	case $name in
	here*) answer="$answer{\"ID\": \"id-of-$name\"}|" ;;
	broken*) echo "Error: reading $name: input/output error" >&2; exit 125 ;;
	hangs*) exec sleep 100 ;;
	*) echo "Error: inspecting object: $name: image not known" >&2; exit 125 ;;
	esac
done
echo "$answer" | tr '|' '\n'
`
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	var calls []string
	p := &podman.Podman{Program: program, Env: []string{"PATH=" + os.Getenv("PATH")}}
	p.Observe = func(c podman.Command) {
		calls = append(calls, strings.Join(slices.Delete(slices.Clone(c.Args), 2, 4), " "))
	}
	return &Finder{Podman: p, Readers: Readers{Dir: t.TempDir(), Project: "p"}}, func() []string { return calls }
}

func never(name string) Request {
	return Request{Name: name, Repository: name, Policies: []config.PullPolicy{config.PullPolicyNever}, Own: true}
}

// TestLook: one command for all images, where all are there; else what Find says is
// what it says without Look.
func TestLook(t *testing.T) {
	always := never("here:a")
	always.Policies = []config.PullPolicy{config.PullPolicyAlways}
	foreign := never("here:b")
	foreign.Platform = podman.Platform{OS: "linux", Arch: "arm64"}
	const a, b = "image inspect -- here:a", "image inspect -- here:b"
	tests := []struct {
		name     string
		look     []Request
		find     []Request
		calls    []string
		failures []string
	}{
		{"all are there", []Request{never("here:a"), never("here:b")}, []Request{never("here:a"), never("here:b")}, []string{a + " here:b"}, []string{"", ""}},
		{"an image twice", []Request{never("here:a"), never("here:a"), never("here:b")}, []Request{never("here:a"), never("here:a")}, []string{a + " here:b", a}, []string{"", ""}},
		{"one image", []Request{never("here:a")}, []Request{never("here:a")}, []string{a}, []string{""}},
		{"one whose registry is asked first", []Request{always, never("here:b")}, []Request{never("here:b")}, []string{b}, []string{""}},
		{"one is absent", []Request{never("here:a"), never("absent")}, []Request{never("here:a"), never("absent")}, []string{a + " absent", a, "image inspect -- absent"}, []string{"", "the image is not in the local storage: absent"}},
		{"podman fails for one", []Request{never("here:a"), never("broken")}, []Request{never("here:a"), never("broken")}, []string{a + " broken", a, "image inspect -- broken"}, []string{"", "podman image inspect: exit status 125: reading broken: input/output error"}},
		{"one of another platform", []Request{never("here:a"), foreign}, []Request{foreign}, []string{a + " here:b"}, []string{"the image is not in the local storage: here:b for linux/arm64, only for "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, calls := finder(t)
			if err := f.Look(t.Context(), tt.look...); err != nil {
				t.Fatal(err)
			}
			for i, r := range tt.find {
				found, err := f.Find(t.Context(), r)
				if (err != nil) != (tt.failures[i] != "") || err != nil && err.Error() != tt.failures[i] {
					t.Errorf("%s: got the error %v, want %q", r.Name, err, tt.failures[i])
				}
				if err == nil && found.ID != "id-of-"+r.Name {
					t.Errorf("%s: got the image %s", r.Name, found.ID)
				}
			}
			if diff := cmp.Diff(tt.calls, calls()); diff != "" {
				t.Errorf("podman's calls (-want +got):\n%s", diff)
			}
		})
	}
}

// A podman that hangs is waited for once.
func TestLookWherePodmanHangs(t *testing.T) {
	f, calls := finder(t)
	f.Podman.Timeouts.Command = 100 * time.Millisecond
	err := f.Look(t.Context(), never("here:a"), never("hangs"))
	var late *podman.TimeoutError
	if !errors.As(err, &late) || len(calls()) != 1 {
		t.Errorf("got %v after %q", err, calls())
	}
}

// No registry is asked for an image below localhost/; one that is there is used, and a broken
// storage is not a missing image.
func TestLocalhost(t *testing.T) {
	f, calls := finder(t)
	for _, test := range []struct {
		name   string
		policy config.PullPolicy
		want   error
	}{
		{"localhost/x:1", config.PullPolicyAlways, ErrLocalhost},
		{"localhost/x:1", config.PullPolicyMissing, ErrLocalhost},
		{"localhost/x:1", config.PullPolicyNewer, ErrLocalhost},
		{"localhost/x:1", config.PullPolicyNever, podman.ErrNoImage},
	} {
		r := never(test.name)
		r.Policies = []config.PullPolicy{test.policy}
		if _, err := f.Find(t.Context(), r); !errors.Is(err, test.want) || !Refused(err) {
			t.Errorf("%s, %v: %v", test.name, test.policy, err)
		}
	}
	for _, call := range calls() {
		if strings.Contains(call, "pull") {
			t.Errorf("a registry was asked: podman %s", call)
		}
	}
	for name, want := range map[string]bool{"localhost/x": true, "localhost:5000/x": false, "localhost.example.com/x": false, "docker.io/localhost/x": false} {
		if IsLocalhost(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
