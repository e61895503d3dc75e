package containersconf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// home has the configuration of a user; nothing of it is the machine's.
type home struct {
	*testing.T
	dir string
	env map[string]string
}

func newHome(t *testing.T) home {
	dir := t.TempDir()
	return home{t, dir, map[string]string{"HOME": dir}}
}

func (h home) getenv(name string) string { return h.env[name] }

// write writes a file below the home directory, and returns its path.
func (h home) write(name, text string) string {
	h.Helper()
	name = filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		h.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
		h.Fatal(err)
	}
	return name
}

func (h home) read() Config {
	h.Helper()
	c, err := Read(h.getenv)
	if err != nil {
		h.Fatal(err)
	}
	return c
}

// Later files win, key by key; lists may add to what is there.
func TestRead(t *testing.T) {
	h := newHome(t)
	h.write(".config/containers/containers.conf", "[containers]\nuserns = \"auto\"\n[engine]\nruntime = \"runc\"\nhelper_binaries_dir = [\"/a\"]\n")
	h.write(".config/containers/containers.conf.d/20.conf", "[engine]\nhelper_binaries_dir = [\"/b\", {append = true}]\n")
	first := h.write(".config/containers/containers.conf.d/10.conf", "[engine]\nruntime = \"crun\"\nunknown = 1\n")
	h.write(".config/containers/containers.conf.d/note", "not TOML")
	c := h.read()
	if got := c.Defaults(h.getenv); !slices.Equal(got.Runtimes, []string{"crun"}) || got.UserNS != "auto" {
		t.Errorf("defaults %+v", got)
	}
	if got := c.From("engine.runtime"); got != first {
		t.Errorf("the runtime is from %q, want %q", got, first)
	}
	if got := c.Engine.HelperBinariesDir.Get(); !slices.Equal(got, []string{"/a", "/b"}) {
		t.Errorf("helper directories %q", got)
	}
	h.env["CONTAINERS_CONF_OVERRIDE"] = h.write("last.conf", "[engine]\nruntime = \"/opt/krun\"\n")
	h.env["PODMAN_USERNS"] = "host"
	if got := h.read().Defaults(h.getenv); !slices.Equal(got.Runtimes, []string{"krun"}) || got.UserNS != "host" {
		t.Errorf("with an override: %+v", got)
	}
	h.env["XDG_CONFIG_HOME"] = filepath.Join(h.dir, "empty")
	h.env["CONTAINERS_CONF_OVERRIDE"] = ""
	if got := h.read(); strings.HasPrefix(got.From("engine.runtime"), h.dir) {
		t.Errorf("with XDG_CONFIG_HOME %q is read", got.From("engine.runtime"))
	}
	h.env["CONTAINERS_CONF"] = h.write("only.conf", "[network]\nfirewall_driver = \"none\"\n")
	if got := h.read().Defaults(h.getenv); len(got.Runtimes) > 0 || got.FirewallDriver != "none" {
		t.Errorf("with one file: %+v", got)
	}
}

func TestReadFails(t *testing.T) {
	h := newHome(t)
	h.env["CONTAINERS_CONF"] = filepath.Join(h.dir, "c.conf")
	for text, want := range map[string]string{
		"":                              "CONTAINERS_CONF of podman's environment: stat ",
		"[engine]\nruntime = crun\n":    "c.conf:2: ",
		"[engine]\nnum_locks = \"x\"\n": "c.conf",
		"[network]\ndefault_subnet_pools = [{base = \"10.0.0.0/99\", size = 24}]\n": "c.conf",
	} {
		if text != "" {
			h.write("c.conf", text)
		}
		if _, err := Read(h.getenv); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
		_ = os.Remove(h.env["CONTAINERS_CONF"])
	}
}

func TestDefaults(t *testing.T) {
	for _, tt := range []struct {
		text, kernel string
		user         bool
	}{
		{"", "", false},
		{"[engine]\nruntime = \"crun\"", "", false},
		{"[engine]\nruntime = \"/usr/sbin/runc\"", "", false},
		{"[engine]\nruntime = \"kata\"", "kata", false},
		{"[engine]\nruntime = \"my-crun\"", "my-crun", false},
		{"[engine.platform_to_oci_runtime]\n\"wasi/wasm\" = \"crun-wasm\"", "", false},
		{"[engine.platform_to_oci_runtime]\n\"linux/arm64\" = \"crun-vm\"", "crun-vm", false},
		{"[containers]\nuserns = \"host\"", "", false},
		{"[containers]\nuserns = \"keep-id\"", "", true},
		{"[containers]\nuserns = \"auto\"", "", true},
	} {
		h := newHome(t)
		h.env["CONTAINERS_CONF"] = h.write("c.conf", tt.text)
		d := h.read().Defaults(h.getenv)
		if d.OtherKernel() != tt.kernel || d.OtherUser() != tt.user {
			t.Errorf("%q: %q, %v", tt.text, d.OtherKernel(), d.OtherUser())
		}
	}
	if Unknown.OtherKernel() == "" {
		t.Error("what is not known counts as this machine's kernel")
	}
}

func TestMissing(t *testing.T) {
	h := newHome(t)
	h.write("bin/found", "")
	h.write("helpers/netavark", "")
	h.write("helpers/aardvark-dns", "")
	h.write("helpers/pasta", "")
	h.env["PATH"] = filepath.Join(h.dir, "bin")
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"[engine]\nruntime = \"HOME/bin/found\"", nil},
		{"[engine]\nruntime = \"found\"", nil},
		{"[engine]\nruntime = \"HOME/lost\"", []string{"HOME/lost"}},
		{"[engine]\nruntime = \"lost\"", []string{"lost"}},
		{"[engine]\nruntime = \"lost\"\n[engine.runtimes]\nlost = [\"/nowhere\", \"HOME/bin/found\"]", nil},
		{"[engine]\nruntime = \"lost\"\n[engine.runtimes]\nlost = [\"/nowhere\"]", []string{"lost"}},
		{"[engine]\nconmon_path = [\"/nowhere\", \"HOME/bin/found\"]", nil},
		{"[engine]\nconmon_path = [\"/nowhere\"]", []string{"conmon"}},
		{"[engine]\nhelper_binaries_dir = [\"/nowhere\", \"HOME/helpers\"]", nil},
		{"[engine]\nhelper_binaries_dir = [\"/nowhere\"]", []string{"netavark, aardvark-dns, pasta or slirp4netns"}},
		{"[engine]\nhelper_binaries_dir = [\"/nowhere\"]\n[network]\nnetwork_backend = \"cni\"", nil},
	} {
		here := strings.NewReplacer("HOME", h.dir)
		h.env["CONTAINERS_CONF"] = h.write("c.conf", here.Replace(tt.text))
		var got []string
		for _, m := range h.read().Missing(h.getenv) {
			got = append(got, m.Program)
			if m.File != h.env["CONTAINERS_CONF"] {
				t.Errorf("%q: %s is from %q", tt.text, m.Program, m.File)
			}
		}
		if want := strings.Fields(here.Replace(strings.Join(tt.want, " "))); !slices.Equal(strings.Fields(strings.Join(got, " ")), want) {
			t.Errorf("%q: missing %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestRoom(t *testing.T) {
	h := newHome(t)
	h.env["CONTAINERS_CONF"] = h.write("c.conf", "")
	if c := h.read(); c.Subnets() != 0 || c.Locks() != 2048 {
		t.Errorf("without keys: %d subnets, %d locks", c.Subnets(), c.Locks())
	}
	h.write("c.conf", `
[engine]
num_locks = 5000
[network]
default_subnet_pools = [{base = "10.1.0.0/16", size = 24}, {base = "10.2.0.0/24", size = 24}, {base = "10.3.0.0/24", size = 16}]
`)
	if c := h.read(); c.Subnets() != 257 || c.Locks() != 5000 {
		t.Errorf("%d subnets, %d locks", c.Subnets(), c.Locks())
	}
}
