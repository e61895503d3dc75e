package images

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containers/common/pkg/config"

	"podman-executor/pkg/podman"
)

// registryPodman is a podman whose images are files of a directory, with their IDs. A pull
// brings the file "brings", and fails where there is a file "refuses", or waits where there
// is one "hangs".
const registryPodman = `#!/bin/sh
here=$(dirname "$0")
for name; do :; done
file=$here/images/$name
case "$1 $2" in
"image pull")
	[ ! -e "$here/brings" ] || cp "$here/brings" "$file"
	[ ! -e "$here/hangs" ] || { : >"$here/begun"; exec sleep 100; }
	[ ! -e "$here/refuses" ] || { echo "Error: unauthorized: authentication required" >&2; exit 125; }
	cat "$file" ;;
"image inspect")
	[ -e "$file" ] || file=$(grep -l "$name" "$here"/images/* | head -n 1)
	[ "$file" ] || { echo "Error: $name: image not known" >&2; exit 125; }
	echo "{\"ID\": \"$(cat "$file")\", \"OS\": \"linux\", \"Arch\": \"amd64\"}" ;;
"image ls")
	[ ! -e "$here/broken" ] || { echo "Error: an image of somebody else's" >&2; exit 125; }
	sed 's/.*/{"ID": "sha256:&"}/' "$here"/images/* 2>/dev/null || : ;;
esac
`

// hub is a storage and a registry.
type hub struct {
	t     *testing.T
	dir   string
	state string
}

func newHub(t *testing.T) hub {
	h := hub{t, t.TempDir(), filepath.Join(t.TempDir(), "private-images")}
	if err := os.Mkdir(filepath.Join(h.dir, "images"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.put("podman", registryPodman)
	return h
}

func (h hub) put(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o700); err != nil {
		h.t.Fatal(err)
	}
}

func id(digit string) string { return strings.Repeat(digit, 64) }

// find looks for an image of the repository for a project.
func (h hub) find(ctx context.Context, project, name string, policy config.PullPolicy, credentials bool) error {
	f := &Finder{
		Podman:   &podman.Podman{Program: filepath.Join(h.dir, "podman"), Env: []string{"PATH=" + os.Getenv("PATH")}},
		AuthFile: func(string) (string, bool, error) { return "", credentials, nil },
		Readers:  Readers{h.state, project}, Locks: filepath.Join(h.dir, "locks"),
		Note: h.t.Logf, Warn: h.t.Logf,
	}
	platform := podman.Platform{}
	if name == "r:arm" {
		platform = podman.Platform{OS: "linux", Arch: "arm64"}
	}
	_, err := f.Find(ctx, Request{Name: name, Repository: "r", Policies: []config.PullPolicy{policy}, Platform: platform})
	return err
}

// restrictTests are pulls of one project, and what they leave to the others.
var restrictTests = []struct {
	name string
	// before is what the storage has of r:1, brings what the pull of image brings.
	before, image, brings string
	refuses, cancelled    bool
	broken                bool
	// others are the images that other projects get without a pull, refused those that
	// they do not.
	others, refused string
}{
	{name: "refused", image: "r:2", refuses: true, before: "1", others: "r:1"},
	{name: "cancelled", image: "r:2", cancelled: true, before: "1", others: "r:1"},
	{name: "cancelled, of the image itself", image: "r:1", cancelled: true, before: "1", others: "r:1"},
	{name: "what it was", image: "r:1", brings: "1", before: "1", others: "r:1 r:later"},
	{name: "something new", image: "r:1", brings: "2", before: "1", refused: "r:1 r:later"},
	{name: "something new beside it", image: "r:2", brings: "2", before: "1", others: "r:1", refused: "r:2 r:later"},
	{name: "something new beside it, where podman cannot list", image: "r:2", brings: "2", before: "1", broken: true, refused: "r:1 r:2"},
	{name: "what it was, where podman cannot list", image: "r:1", brings: "1", before: "1", broken: true, others: "r:1"},
	{name: "brought, and refused", image: "r:2", brings: "2", refuses: true, before: "1", others: "r:1", refused: "r:2 r:later"},
	{name: "brought, and cancelled", image: "r:2", brings: "2", cancelled: true, before: "1", others: "r:1", refused: "r:2 r:later"},
	{name: "of another platform than asked for", image: "r:arm", brings: "2", before: "1", others: "r:1", refused: "r:arm r:later"},
}

// TestRestrict: what a pull with credentials, true or not, of one project leaves to the
// others.
func TestRestrict(t *testing.T) {
	for _, test := range restrictTests {
		t.Run(test.name, func(t *testing.T) {
			h := newHub(t)
			h.put("images/r:1", id(test.before))
			for name, there := range map[string]bool{"refuses": test.refuses, "hangs": test.cancelled, "broken": test.broken} {
				if there {
					h.put(name, "")
				}
			}
			if test.brings != "" {
				h.put("brings", id(test.brings))
			}
			ctx, cancel := context.WithCancel(t.Context())
			if test.cancelled {
				go cancelWhenThere(filepath.Join(h.dir, "begun"), cancel)
			}
			err := h.find(ctx, "attacker", test.image, config.PullPolicyAlways, true)
			cancel()
			if fails := test.refuses || test.cancelled || test.image == "r:arm"; (err != nil) != fails {
				t.Fatalf("the pull: %v", err)
			}
			h.put("images/r:later", id("9"))
			for _, image := range strings.Fields(test.others) {
				if err := h.find(t.Context(), "victim", image, config.PullPolicyNever, false); err != nil {
					t.Errorf("another project does not get %s: %v", image, err)
				}
			}
			for _, image := range strings.Fields(test.refused) {
				if image == "r:arm" {
					h.put("images/r:copy", id(test.brings))
					image = "r:copy"
				}
				if err := h.find(t.Context(), "victim", image, config.PullPolicyNever, false); err == nil {
					t.Errorf("another project gets %s", image)
				}
			}
			if entries, _ := filepath.Glob(h.state + "/[^.]*"); (len(entries) > 0) != (test.refused != "") {
				t.Errorf("there is kept: %q", entries)
			}
		})
	}
}

func cancelWhenThere(file string, cancel func()) {
	for {
		if _, err := os.Stat(file); err == nil {
			cancel()
			return
		}
		time.Sleep(time.Millisecond)
	}
}
