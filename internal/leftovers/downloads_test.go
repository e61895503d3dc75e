package leftovers

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"podman-executor/pkg/podman"
)

// put makes files below a directory.
func put(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, []byte("x"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func namesOf(list []Orphan) (names []string) {
	for _, o := range list {
		names = append(names, filepath.Base(o.Name))
	}
	return names
}

func TestDownloads(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	put(t, elsewhere, "file")
	put(t, dir,
		"container_images_storage1/1", "container_images_storage2/1", "container_images_docker-tar-3", "storage4/1", "storage5/2",
		"podman-executor-pull-6/storage7/1",
		// Not what a pull leaves.
		"storage10/notes", "storage11/1/1", "storage12", "storages", "storage", "container_images_", "podman-executor-pull-x/1", "buildah13/1", "other/storage14/1")
	for from, to := range map[string]string{"container_images_storage20": elsewhere, "podman-executor-pull-21": elsewhere, "storage4x": "storage4", "storage22/1": filepath.Join(elsewhere, "file"), "container_images_storage23/2": elsewhere} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(from)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	open, err := os.Open(filepath.Join(dir, "container_images_storage2/1"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	later := time.Now().Add(downloadAge + time.Minute)
	find := func(own bool, now time.Time, want ...string) []Orphan {
		t.Helper()
		list, err := Downloads(dir, own, now)
		if err != nil || !slices.Equal(namesOf(list), want) {
			t.Errorf("got %q, %v, want %q", namesOf(list), err, want)
		}
		return list
	}
	find(false, time.Now().Add(downloadAge/2))
	find(true, later, "podman-executor-pull-6")
	list := find(false, later, "container_images_docker-tar-3", "container_images_storage1", "podman-executor-pull-6", "storage4", "storage5")
	for _, o := range list {
		if err := o.Remove(t.Context(), &podman.Podman{}); err != nil {
			t.Error(err)
		}
	}
	_ = open.Close()
	find(false, later, "container_images_storage2")
	if _, err := os.Stat(filepath.Join(elsewhere, "file")); err != nil {
		t.Error(err)
	}
	for _, none := range []string{"", filepath.Join(dir, "absent")} {
		if list, err := Downloads(none, false, later); len(list) > 0 || err != nil {
			t.Errorf("%q: %v, %v", none, list, err)
		}
	}
}

// A link that has taken the place of a download is removed, and not what it leads to.
func TestRemoveDownloadThatBecameALink(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	put(t, elsewhere, "file")
	link := filepath.Join(dir, "container_images_storage1")
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	if err := (Orphan{Kind: "download", Name: link}).Remove(t.Context(), &podman.Podman{}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(elsewhere, "file")); err != nil {
		t.Error(err)
	}
}

// Other users' files are not seen as downloads, even by root.
func TestDownloadsOfOthers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	put(t, dir, "container_images_storage1/1", "container_images_storage2/1")
	for _, name := range []string{"container_images_storage1", "container_images_storage2/1"} {
		if err := os.Chown(filepath.Join(dir, name), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := Downloads(dir, false, time.Now().Add(time.Hour)); len(list) > 0 || err != nil {
		t.Errorf("got %q, %v", namesOf(list), err)
	}
}
