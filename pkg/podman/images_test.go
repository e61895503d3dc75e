package podman

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// podman has a line for each name of an image, with all names in each.
func TestImages(t *testing.T) {
	p, calls := answers(t, map[string]string{"image-ls": `[
		{"Id": "a", "Names": ["r/x:1", "r/x:2"], "Size": 7, "Containers": 1},
		{"Id": "a", "Names": ["r/x:1", "r/x:2"], "Size": 7, "Containers": 1},
		{"Id": "b", "Names": null, "ReadOnly": true}]`})
	got, err := p.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []StoredImage{{ID: "a", Names: []string{"r/x:1", "r/x:2"}, Size: 7, Containers: 1}, {ID: "b", ReadOnly: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the images (-want +got):\n%s", diff)
	}
	if got, want := calls(), "image ls --all --no-trunc --format TEMPLATE"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p, _ = answers(t, map[string]string{"image-ls": "none"})
	if _, err := p.Images(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "podman image ls: reading its output: ") {
		t.Errorf("garbage: %v", err)
	}
}

// If another image is removed while podman lists them, podman is asked again, however often
// that happens; but not for a broken image.
func TestImagesWhileOneIsRemoved(t *testing.T) {
	gone := func(id string) string {
		return `Error: retrieving label for image "` + id + `": reading image "` + id + `": locating image with ID "` + id + `": image not known`
	}
	tests := map[string]struct {
		said  func(call int) string // nothing: it succeeds
		calls int
	}{
		"one after another": {func(call int) string {
			if call > 20 {
				return ""
			}
			return gone(fmt.Sprint("a", call))
		}, 21},
		"the same again":       {func(call int) string { return gone(fmt.Sprint("a", min(call, 5))) }, 4 + listSame},
		"the same and another": {func(call int) string { return gone(fmt.Sprint("a", []int{0, 0, 1, 0, 0, 0}[min(call-1, 5)])) }, 3 + listSame},
		"a broken storage":     {func(int) string { return "Error: the storage is broken" }, listSame},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, dir := fake(t, "answers")
			answer := func(call int) {
				exit := "0"
				if tt.said(call) != "" {
					exit = "125"
				}
				for file, text := range map[string]string{"image-ls": "[]", "image-ls.stderr": tt.said(call), "image-ls.exit": exit} {
					if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			calls := 0
			p.Observe = func(Command) { calls++; answer(calls + 1) }
			answer(1)
			if _, err := p.Images(t.Context()); isExit(err, ExitPodman) != (tt.said(tt.calls) != "") {
				t.Errorf("got %v", err)
			}
			if calls != tt.calls {
				t.Errorf("podman was asked %d times, want %d", calls, tt.calls)
			}
		})
	}
}

func TestImageExists(t *testing.T) {
	for exit, want := range map[string]struct{ there, fails bool }{"0": {true, false}, "1": {false, false}, "125": {false, true}} {
		p, _ := answers(t, map[string]string{"image-exists.exit": exit})
		if there, err := p.ImageExists(t.Context(), "a"); there != want.there || (err != nil) != want.fails {
			t.Errorf("podman ends with %s: got %v, %v", exit, there, err)
		}
	}
}

// One command for all, whose answer counts only if it has all of them.
func TestLocalImages(t *testing.T) {
	const two = `[{"Id": "a"}, {"Id": "b"}]`
	tests := []struct {
		name  string
		files map[string]string
		want  []Image
		fails string
	}{
		{"both are there", map[string]string{"image-inspect": two}, []Image{{ID: "a"}, {ID: "b"}}, ""},
		{"podman 4.3.1 and 5.4.2, one is absent", map[string]string{"image-inspect": `[{"Id": "a"}]`, "image-inspect.exit": "125", "image-inspect.stderr": "Error: inspecting object: r/y:1: image not known"}, nil, ""},
		{"podman 5.4.2 by service_url, both are absent", map[string]string{"image-inspect": "[]", "image-inspect.exit": "125", "image-inspect.stderr": `unable to inspect "r/y:1": failed to find image r/y:1: r/y:1: image not known` + "\n" + `Error: unable to inspect "r/x:1": failed to find image r/x:1: r/x:1: image not known`}, nil, ""},
		{"the storage is broken", map[string]string{"image-inspect.exit": "125", "image-inspect.stderr": "Error: open images.json: permission denied"}, nil, "podman image inspect: exit status 125: open images.json: permission denied"},
		{"one is missing in the answer", map[string]string{"image-inspect": `[{"Id": "a"}]`}, nil, "podman image inspect: want 2 images, got 1"},
		{"one has no ID", map[string]string{"image-inspect": `[{"Id": "a"}, {}]`}, nil, "podman image inspect: an image without an ID"},
		{"garbage", map[string]string{"image-inspect": "none"}, nil, "podman image inspect: reading its output: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, calls := answers(t, tt.files)
			got, err := p.LocalImages(t.Context(), "r/x:1", "r/y:1")
			if (err != nil) != (tt.fails != "") || err != nil && !strings.HasPrefix(err.Error(), tt.fails) {
				t.Errorf("got the error %v, want %q", err, tt.fails)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("the images (-want +got):\n%s", diff)
			}
			if got, want := calls(), "image inspect --format TEMPLATE -- r/x:1 r/y:1"; got != want {
				t.Errorf("podman was called with %q, want %q", got, want)
			}
		})
	}
}

// The words are those of podman 4.3.1 and 5.4.2.
func TestRemoveImage(t *testing.T) {
	one, two := StoredImage{ID: "a", Names: []string{"r/x:1"}}, StoredImage{ID: "a", Names: []string{"r/x:1", "r/x:2"}}
	const (
		remove = "image rm --no-prune -- a"
		used   = "Error: image used by 647e276a67f2: image is in use by a container: consider listing external containers and force-removing image"
		gone   = "Error: a: image not known"
	)
	for _, test := range []struct {
		name    string
		image   StoredImage
		answers map[string]string
		calls   string
		want    func(error) bool
	}{
		{"one name", one, nil, remove, func(err error) bool { return err == nil }},
		{"no name", StoredImage{ID: "a"}, nil, remove, func(err error) bool { return err == nil }},
		{"two names", two, nil, "untag -- a\n" + remove, func(err error) bool { return err == nil }},
		{"in use", one, map[string]string{"image-rm.exit": "2", "image-rm.stderr": used}, remove, func(err error) bool { return errors.Is(err, ErrImageInUse) }},
		{"gone", one, map[string]string{"image-rm.exit": "1", "image-rm.stderr": gone}, remove, func(err error) bool { return err == nil }},
		{"two names, gone", two, map[string]string{"untag.exit": "125", "untag.stderr": gone, "image-rm.exit": "1", "image-rm.stderr": gone}, "untag -- a\n" + remove, func(err error) bool { return err == nil }},
		{"podman fails", one, map[string]string{"image-rm.exit": "125"}, remove, func(err error) bool { return isExit(err, 125) }},
		{"podman fails with the names", two, map[string]string{"untag.exit": "125"}, "untag -- a", func(err error) bool { return isExit(err, 125) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, calls := answers(t, test.answers)
			if err := p.RemoveImage(t.Context(), test.image); !test.want(err) {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(test.calls, calls()); diff != "" {
				t.Errorf("podman's commands (-want +got):\n%s", diff)
			}
		})
	}
}

// An image that is removed between its pull and the look at it is pulled again: the job did
// nothing wrong.
func TestPulledImageIsGone(t *testing.T) {
	p, _ := answers(t, map[string]string{"image-pull": pulledID + "\n", "image-inspect.exit": "125", "image-inspect.stderr": "Error: inspecting object: " + pulledID + ": image not known"})
	_, err := p.Pull(t.Context(), Pull{Name: "r.example.org/x:1"})
	if !errors.Is(err, ErrImageGone) || PullRefused(err) || !PullWorthRetrying(err) {
		t.Errorf("got %v", err)
	}
}

// The IDs are those that podman's other answers have; a repository is a pattern to podman.
func TestRepositoryImages(t *testing.T) {
	id := func(digit string) string { return strings.Repeat(digit, 64) }
	for repository, pattern := range map[string]string{
		"registry.example.com/team/app": "registry.example.com/team/app", "[::1]:5000/x": `\[::1\]:5000/x`,
	} {
		p, calls := answers(t, map[string]string{"image-ls": `{"ID": "sha256:` + id("a") + `"}` + "\n" + `{"ID": "` + id("b") + `"}` + "\n"})
		got, err := p.RepositoryImages(t.Context(), repository)
		if diff := cmp.Diff([]string{id("a"), id("b")}, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if got, want := calls(), "image ls --no-trunc --filter reference="+pattern+` --format {"ID": {{json .ImageSummary.ID}}}`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	p, _ := answers(t, map[string]string{"image-ls": `{"ID": "<none>"}`})
	if _, err := p.RepositoryImages(t.Context(), "x"); err == nil || err.Error() != "podman image ls: no ID in its output" {
		t.Errorf("garbage: %v", err)
	}
}

// One image of the storage.
func TestStoredImage(t *testing.T) {
	const id = "cc694233e203f24125b03989ca7cf84a6eac9fb05103e260e46bb039e0446d66"
	for name, test := range map[string]struct {
		files map[string]string
		want  error
	}{
		"there":              {map[string]string{"image-ls": recordedImages}, nil},
		"gone":               {map[string]string{"image-ls": ""}, ErrNoImage},
		"another, longer ID": {map[string]string{"image-ls": strings.ReplaceAll(recordedImages, id, id+"0")}, ErrNoImage},
		"cannot be read":     {map[string]string{"image-ls.exit": "125"}, ErrImageUnreadable},
		"gone meanwhile":     {map[string]string{"image-ls.exit": "125", "image-exists.exit": "1"}, ErrNoImage},
	} {
		p, _ := answers(t, test.files)
		image, err := p.StoredImage(t.Context(), id)
		if !errors.Is(err, test.want) || test.want == nil && (err != nil || image.ID != id) {
			t.Errorf("%s: %+v, %v", name, image, err)
		}
	}
	p, _ := answers(t, map[string]string{"image-ls.exit": "125", "image-exists.exit": "125"})
	if _, err := p.StoredImage(t.Context(), id); !Failed(err) || errors.Is(err, ErrImageUnreadable) {
		t.Errorf("a podman that is broken: %v", err)
	}
}
