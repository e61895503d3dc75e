package source

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What podman keeps is told by its environment, and by the files that this leads to.
func TestOfEnvironment(t *testing.T) {
	home := t.TempDir()
	at := func(name string) string { return filepath.Join(home, name) }
	ok(t, os.MkdirAll(at(".config/containers/containers.conf.d"), 0o700))
	for name, text := range map[string]string{
		".config/containers/storage.conf":               "[storage]\ngraphroot = \"/srv/graph\"\nrootless_storage_path = \"$HOME/storage/$UID\"\n[storage.options]\nadditionalimagestores = [\"/srv/more\"]\n",
		".config/containers/containers.conf":            "[engine]\nimage_copy_tmp_dir = \"/srv/copies\"\nhooks_dir = [\"~/hooks\"]\n[containers]\nvolumes = [\"/srv/data:/data\"]\n[network]\nnetwork_config_dir = \"/srv/nets\"\n",
		".config/containers/containers.conf.d/odd.conf": "[engine\nstatic_dir = \"/srv/odd\"\n",
		"other.conf": "[engine]\nstatic_dir = \"/srv/static\"\n",
	} {
		ok(t, os.WriteFile(at(name), []byte(text), 0o600))
	}
	got := OfEnvironment([]string{"HOME=" + home, "TMPDIR=/srv/tmp", "PATH=/srv/bin", "XDG_RUNTIME_DIR=/srv/run", "XDG_DATA_HOME=/srv/data", "CONTAINERS_CONF=" + at("other.conf")}, 4321)
	for _, want := range []Place{
		{home, Home},
		{at(".ssh"), Whole},
		{at(".config/containers"), Whole},
		{at(".config/systemd/user"), Whole},
		{at(".bash_profile"), Whole},
		{"/srv/tmp", Scratch},
		{"/srv/copies", Scratch},
		{"/srv/run", Whole},
		{"/srv/bin", Whole},
		{"/srv/data/containers", Whole},
		{at("other.conf"), Whole},
		{"/srv/graph", Whole},
		{at("storage/4321"), Whole},
		{"/srv/more", Whole},
		{at("hooks"), Whole},
		{"/srv/nets", Whole},
		{"/srv/static", Whole},
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%v is missing", want)
		}
	}
	for _, p := range got {
		if slices.Contains([]string{"/srv/data", "/srv/data:/data", "/srv/odd"}, p.Path) {
			t.Errorf("%v is not a place of podman", p)
		}
	}
}

func TestOfUser(t *testing.T) {
	got := OfUser(4321)
	for _, want := range []string{"/run/user/4321", "/tmp/podman-run-4321", "/run/podman-executor", "/var/lib/containers", "/etc/gitlab-runner", "/etc/podman-executor"} {
		if !slices.Contains(got, Place{want, Whole}) {
			t.Errorf("%s is missing", want)
		}
	}
	if root := OfUser(0); !slices.ContainsFunc(root, func(p Place) bool { return p.Kind == Home }) {
		t.Errorf("root has no home: %v", root)
	}
}

// In a directory that everybody can read, what not everybody can is found.
func TestTree(t *testing.T) {
	dir := t.TempDir()
	ok(t, os.MkdirAll(filepath.Join(dir, "certs.d/host"), 0o755), os.WriteFile(filepath.Join(dir, "certs.d/host/client.key"), nil, 0o640))
	if !slices.Contains(tree(dir), Place{filepath.Join(dir, "certs.d/host/client.key"), Whole}) {
		t.Error("client.key is missing")
	}
	if got := tree(filepath.Join(dir, "none")); len(got) != 1 {
		t.Errorf("of what is not there: %v", got)
	}
}
