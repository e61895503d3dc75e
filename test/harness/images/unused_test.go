package images

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// image is a line of `podman images --format json`.
type image struct {
	ID         string            `json:"Id"`
	ParentID   string            `json:"ParentId"`
	Created    int               `json:"Created"`
	Containers int               `json:"Containers"`
	Names      []string          `json:"Names"`
	History    []string          `json:"History"` // the names that it ever had
	Labels     map[string]string `json:"Labels"`
}

// step is an image that a build has left long ago; the changes are what tells another
// one from it.
func step(id, parent string, changes ...func(*image)) image {
	working := "docker.io/library/" + strings.Repeat("0a", 32) + "-tmp:latest"
	i := image{ID: id, ParentID: parent, Created: 10, History: []string{working}, Labels: map[string]string{"key": "k"}}
	for _, change := range changes {
		change(&i)
	}
	return i
}

// unused returns the words that the script prints. The images of the present builds
// begin with "present".
func unused(t *testing.T, images ...image) string {
	t.Helper()
	dir := t.TempDir()
	list, err := json.Marshal(images)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"list": list, "used": []byte("absent\npresent\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("jq", "--raw-output", "--from-file", "unused.jq", "--arg", "key", "key", "--argjson", "before", "20",
		"--rawfile", "used", filepath.Join(dir, "used"), filepath.Join(dir, "list")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func TestUnused(t *testing.T) {
	t.Parallel()
	named := func(name string) func(*image) {
		return func(i *image) { i.Names, i.History = []string{name}, append(i.History, name) }
	}
	had := func(name string) func(*image) { return func(i *image) { i.History = []string{name} } }
	for _, test := range []struct {
		name   string
		images []image
		want   string
	}{
		{"children before parents", []image{step("a", ""), step("c", "b"), step("b", "a"), step("d", "c")}, "d c b a"},
		{"a named image and what it was made from", []image{step("a", ""), step("b", "a"), step("c", "b", named("localhost/x:1")), step("d", "a")}, "d"},
		{"two lines of an image with two names", []image{step("a", "", named("localhost/x:1")), step("a", "", named("localhost/x:1"))}, ""},
		{"the present builds, and what they began with", []image{step("a", ""), step("present1", "a"), step("b", "present1")}, "b"},
		{"what another build has replaced", []image{step("a", "", had("localhost/x:1"))}, "a"},
		{"pulled", []image{step("a", "", had("127.0.0.1:5000/team/app:1"))}, ""},
		{"pulled from the registry of podman's names", []image{step("a", "", had("docker.io/library/x-tmp:latest"))}, ""},
		{"young, and its parents", []image{step("a", ""), step("b", "a", func(i *image) { i.Created = 20 })}, ""},
		{"in a container", []image{step("a", "", func(i *image) { i.Containers = 1 })}, ""},
		{"not built from the tests' images", []image{step("a", "", func(i *image) { i.Labels = nil })}, ""},
		{"a parent that is not there", []image{step("b", "gone")}, "b"},
		{"none", []image{}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := unused(t, test.images...); got != test.want {
				t.Errorf("%q may go, want %q", got, test.want)
			}
		})
	}
}
