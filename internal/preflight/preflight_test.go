package preflight

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// want checks a result's level, and words of its detail and hint.
func want(t *testing.T, r Result, level Level, detail, hint string) {
	t.Helper()
	if r.Level != level || !strings.Contains(r.Detail, detail) || !strings.Contains(r.Hint, hint) {
		t.Errorf("got %v %q, hint %q\nwant %v with %q, hint with %q", r.Level, r.Detail, r.Hint, level, detail, hint)
	}
	if (r.Level == OK) != (r.Hint == "") {
		t.Errorf("%q: what is not well needs a hint, and nothing else has one", r.Detail)
	}
	if r.Check == "" || r.Detail == "" {
		t.Errorf("a result that says nothing: %+v", r)
	}
}

func TestCountIDs(t *testing.T) {
	runner := User{Name: "gitlab-runner", UID: 990}
	tests := []struct {
		name, text string
		user       User
		want       int64
	}{
		{"no file", "", runner, 0},
		{"by name", "gitlab-runner:100000:65536\n", runner, 65536},
		{"by number", "990:100000:65536\n", runner, 65536},
		{"several ranges", "gitlab-runner:100000:65536\nother:165536:65536\n990:300000:10\n", runner, 65546},
		{"another's, whose name begins with it", "gitlab-runner2:100000:65536\n", runner, 0},
		{"no newline at the end", "gitlab-runner:100000:65536", runner, 65536},
		{"comments, and lines that are none", "# gitlab-runner:1:2\n\ngitlab-runner\ngitlab-runner:1\ngitlab-runner:a:5\ngitlab-runner:5:-1\ngitlab-runner:1:2:3\n", runner, 0},
		{"more than there are", "gitlab-runner:4294967295:65536\n", runner, 0},
		{"a user without a name", "990:1:5\n:1:100\n", User{UID: 990}, 5},
	}
	for _, tt := range tests {
		if got := countIDs(tt.text, tt.user); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestSubIDService(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                     false,
		"passwd: files\nsubid: files\n":        false,
		"subid: sss\n":                         true,
		" subid:\tsss # from the directory\n":  true,
		"# subid: sss\n":                       false,
		"subid:\n":                             false,
		"subid-of-somebody: sss\nsubid: files": false,
	} {
		if got := subIDService(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestSubIDs(t *testing.T) {
	runner := User{Name: "runner", UID: 990}
	tests := []struct {
		name         string
		ids          SubIDs
		level        Level
		detail, hint string
	}{
		{"enough", SubIDs{User: runner, UIDs: 65536, GIDs: 65536}, OK, "users 0 to 65536", ""},
		// 0 is the user itself, so the range begins at 1.
		{"just enough for 65535", SubIDs{User: runner, UIDs: 65535, GIDs: 65535}, OK, "users 0 to 65535", ""},
		{"one too small for 65535", SubIDs{User: runner, UIDs: 65534, GIDs: 65536}, Warning, "above 65534 cannot be unpacked", "at least 65535 ids"},
		{"none", SubIDs{User: runner}, Error, "the user runner has no range of ids in /etc/subuid and /etc/subgid", "usermod --add-subuids"},
		{"users only", SubIDs{User: runner, UIDs: 65536}, Error, "no range of ids in /etc/subgid: ", "podman system migrate"},
		{"groups only", SubIDs{User: User{UID: 990}, GIDs: 65536}, Error, "the user 990 has no range of ids in /etc/subuid: ", "990"},
		{"from a directory service", SubIDs{User: runner, Elsewhere: true}, OK, "names another source", ""},
		{"all files are the user's", SubIDs{User: runner, Squashed: true}, Warning, "ignore_chown_errors", "usermod"},
		{"root", SubIDs{User: User{Name: "root"}}, OK, "root needs no range", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { want(t, tt.ids.Check(), tt.level, tt.detail, tt.hint) })
	}
}

func TestRuntimeDir(t *testing.T) {
	dir, me := t.TempDir(), User{Name: "runner", UID: os.Getuid()}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, level := range map[fs.FileMode]Level{0o700: OK, 0o711: OK, 0o701: OK, 0o755: Error, 0o770: Error, 0o722: Error, 0o500: Error} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		hint, detail := "", dir
		if level == Error {
			hint, detail = "mode 0700", "has mode 0"
		}
		want(t, RuntimeDir(dir, me), level, detail, hint)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	want(t, RuntimeDir("", User{Name: "runner", UID: 990}), Error, "not set, and /run/user/990 does not exist", "loginctl enable-linger runner")
	want(t, RuntimeDir("", User{}), OK, "not needed by root", "")
	want(t, RuntimeDir(filepath.Join(dir, "none"), me), Error, "which does not exist", "loginctl enable-linger runner")
	want(t, RuntimeDir(file, me), Error, "is not a directory", "mode 0700")
	want(t, RuntimeDir(dir, User{UID: me.UID + 1}), Error, "belongs to user", "mode 0700")
}

func TestParseStorage(t *testing.T) {
	for text, want := range map[string]Storage{
		"": {},
		"[storage]\ndriver = \"vfs\"\ngraphroot = \"/x\"\n":                                           {Driver: "vfs"},
		"[storage]\ndriver = \"overlay\"\n[storage.options]\nignore_chown_errors = \"true\"\n":        {Driver: "overlay", IgnoreChownErrors: true},
		"[storage]\n[storage.options.overlay]\nignore_chown_errors = true\nmount_program = \"/x\"\n":  {IgnoreChownErrors: true},
		"[storage.options.vfs]\nignore_chown_errors = \"true\"\n":                                     {IgnoreChownErrors: true},
		"[storage]\ndriver = \"overlay\"\n[storage.options]\nignore_chown_errors = \"false\"\nx = []": {Driver: "overlay"},
		"no TOML": {},
	} {
		if got := parseStorage(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func TestReadStorage(t *testing.T) {
	home := t.TempDir()
	env := map[string]string{"HOME": home}
	write := func(name, text string) string {
		name = filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	read := func() Storage { return ReadStorage(func(name string) string { return env[name] }) }
	own := write(".config/containers/storage.conf", "[storage]\ndriver = \"vfs\"\n")
	if got := read(); got != (Storage{File: own, Driver: "vfs"}) {
		t.Errorf("the user's own: %+v", got)
	}
	env["CONTAINERS_STORAGE_CONF"] = write("other.conf", "[storage]\ndriver = \"overlay\"\n")
	if got := read(); got != (Storage{File: env["CONTAINERS_STORAGE_CONF"], Driver: "overlay"}) {
		t.Errorf("CONTAINERS_STORAGE_CONF: %+v", got)
	}
	env["STORAGE_DRIVER"] = "vfs"
	if got := read(); got.Driver != "vfs" {
		t.Errorf("STORAGE_DRIVER: %+v", got)
	}
	want(t, Driver("vfs"), Warning, "copies the whole image", `driver = "overlay"`)
	want(t, Driver("overlay"), OK, "overlay", "")
}

func TestControllers(t *testing.T) {
	want(t, Controllers("v2", []string{"cpu", "memory", "pids"}, true), OK, "cgroup v2 with cpu, memory, pids", "")
	want(t, Controllers("v2", []string{"memory", "pids"}, false), Warning, "limits on cpu are accepted but not enforced", "Delegate=")
	want(t, Controllers("v1", nil, true), Error, "limits on cpu, memory and pids are accepted", "Delegate=")
}
