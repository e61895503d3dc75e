package source

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// Where the kernel goes, and what is missing, by its name.
func TestResolve(t *testing.T) {
	top := t.TempDir()
	at := func(name string) string { return filepath.Join(top, name) }
	ok(t, os.MkdirAll(at("a/b"), 0o700), os.WriteFile(at("file"), nil, 0o600))
	for link, target := range map[string]string{"a/up": "../file", "abs": at("a/b"), "chain": "abs", "dangling": "none/x", "loop": "loop", "a/b/root": "/"} {
		ok(t, os.Symlink(target, at(link)))
	}
	tests := []struct {
		name, want string
		missing    bool
	}{
		{at("a/b"), at("a/b"), false},
		{at("a//./b/"), at("a/b"), false},
		{at("a/up"), at("file"), false},
		{at("chain"), at("a/b"), false},
		{top + "/chain/../up", at("file"), false}, // from a/b up, as the kernel does
		{at("none"), at("none"), true},
		{at("none/x/y"), at("none/x/y"), true},
		{at("dangling"), at("none/x"), true},
		{at("dangling/y"), at("none/x/y"), true},
		{at("file/x"), at("file/x"), true},
		{at("chain/none"), at("a/b/none"), true},
		{top + "/none/../a", "", false},
		{at("loop"), "", false},
		{at("chain/root"), "/", false},
		{"/", "/", false},
	}
	for _, tt := range tests {
		p := look(t).Resolve(tt.name, nil)
		if p.Name != tt.want || p.Missing != tt.missing || (p.Info != nil) != (tt.want != "" && !tt.missing) {
			t.Errorf("%s: %+v, want %s, missing: %v", tt.name, p, tt.want, tt.missing)
		}
	}
}

// A file system that may not answer is not asked about what no rule can allow: its
// mounts are told by their names.
func TestResolveDoesNotAsk(t *testing.T) {
	const text = `22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 0:40 / /net rw - autofs /etc/auto.net rw
24 23 0:41 / /net/files rw - nfs4 files:/ rw
25 22 0:42 / /tmp rw - tmpfs tmpfs rw
26 22 0:43 / /my\040dir rw - fuse.sshfs x rw
`
	h := &Host{mounts: parseMounts(text)}
	var asked []string
	may := func(name string) bool { asked = append(asked, name); return false }
	for _, name := range []string{"/net/evil/x", "/net", "/net/files/home", "/my dir/x", "/tmp/../net/evil"} {
		asked = nil
		if p := h.Resolve(name, may); p.Name != "" {
			t.Errorf("%s: %+v", name, p)
		}
		if len(asked) != 1 {
			t.Errorf("%s: asked about %q", name, asked)
		}
	}
	asked = nil
	if p := h.Resolve("/tmp", may); p.Name != "/tmp" || len(asked) > 0 {
		t.Errorf("/tmp: %+v, asked about %q", p, asked)
	}
	// Also by a link.
	link := filepath.Join(t.TempDir(), "link")
	ok(t, os.Symlink("/net/evil", link))
	if p := h.Resolve(link, may); p.Name != "" || !slices.Equal(asked, []string{"/net"}) {
		t.Errorf("by a link: %+v, asked about %q", p, asked)
	}
}

// What is on a file system that needs not answer is found where a rule leads there.
func TestResolveWhereARuleLeads(t *testing.T) {
	if inside(t, namespace()) {
		return
	}
	top := os.Getenv(topVariable)
	ok(t, syscall.Mount("x", top, "tmpfs", 0, ""), os.MkdirAll(filepath.Join(top, "a/b"), 0o700))
	h := look(t)
	for i := range h.mounts {
		if h.mounts[i].point == top {
			h.mounts[i].kind = "nfs4"
		}
	}
	below := func(dir string) func(string) bool {
		return func(name string) bool { return within(name, dir) || within(dir, name) }
	}
	if p := h.Resolve(filepath.Join(top, "a/b"), below(filepath.Join(top, "a"))); p.Name != filepath.Join(top, "a/b") {
		t.Errorf("%+v", p)
	}
	if p := h.Resolve(filepath.Join(top, "a/b"), below(filepath.Join(top, "c"))); p.Name != "" {
		t.Errorf("where no rule leads: %+v", p)
	}
}

// One client has one device for all directories of a server, and names none of them.
func TestMountsOfNFS(t *testing.T) {
	h := &Host{mounts: parseMounts(`22 1 8:1 / / rw - ext4 x rw
30 22 0:50 / /home rw - nfs4 files:/home rw
31 22 0:50 / /data rw - nfs4 files:/data rw
`)}
	home, data := h.mountOf("/home/ci").view("/home/ci"), h.mountOf("/data/ci").view("/data/ci")
	if home.device == data.device || home.path != "/ci" || data.path != "/ci" {
		t.Errorf("%v, %v", home, data)
	}
}

func TestUnescaped(t *testing.T) {
	for text, want := range map[string]string{`/a\040b`: "/a b", `\134`: `\`, `/a\04`: `/a\04`, `/\999`: `/\999`, "": ""} {
		if got := unescaped(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
