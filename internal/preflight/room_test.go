package preflight

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestSpace(t *testing.T) {
	const gb = 1_000_000_000
	room := func(bytes int64) Room { return Room{Bytes: bytes} }
	want(t, Space("/x", room(5*gb), 0), OK, "5000 MB in /x", "")
	want(t, Space("/x", room(5*gb), 5*gb), OK, "5000 MB in /x", "")
	want(t, Space("/x", room(5*gb-1), 5*gb), Error, "only 4999 MB are free in /x; general.min_free_space requires 5000 MB", "free space there")
	want(t, Space("/x", room(gb/2), 0), Warning, "500 MB in /x", "free space there")
	want(t, Space("/x", room(gb/2), gb/4), OK, "500 MB in /x", "")

	// Inodes: an ext4 of 4,000, a usual one, and btrfs, which has no number.
	inodes := func(free, all int64) Room { return Room{Bytes: 5 * gb, Inodes: free, AllInodes: all} }
	want(t, Space("/x", inodes(200, 4000), gb), OK, "5000 MB in /x", "")
	want(t, Space("/x", inodes(199, 4000), gb), Error, "only 199 of 4000 inodes are free in /x", "df -i")
	want(t, Space("/x", inodes(199, 4000), 0), Warning, "only 199 of 4000 inodes are free in /x", "df -i")
	want(t, Space("/x", inodes(9_999, 6_000_000), gb), Error, "only 9999 of 6000000 inodes", "df -i")
	want(t, Space("/x", inodes(10_000, 6_000_000), gb), OK, "5000 MB in /x", "")
	want(t, Space("/x", inodes(0, 0), gb), OK, "5000 MB in /x", "")
}

func TestReadRoom(t *testing.T) {
	dir := t.TempDir()
	there, err := ReadRoom(dir)
	if err != nil || there.Bytes <= 0 || there.Type == 0 || there.AllInodes > 0 && there.Inodes <= 0 {
		t.Errorf("got %+v, %v", there, err)
	}
	if _, err := ReadRoom(filepath.Join(dir, "not", "made", "yet")); err != nil {
		t.Errorf("of a directory to be made: %v", err)
	}
	if _, err := ReadRoom(strings.Repeat("/x", 5000)); err == nil {
		t.Error("of a name that is too long: no error")
	}
}

func TestRuntimeRoom(t *testing.T) {
	room := Room{Bytes: 100 << 20, Inodes: 100_000, AllInodes: 200_000, Type: tmpfs}
	want(t, RuntimeRoom("/run/user/7", room), OK, "/run/user/7", "")
	for _, tt := range []struct {
		bytes, inodes int64
		level         Level
	}{
		{255 << 10, 100_000, Error}, {100 << 20, 99, Error}, {7 << 20, 100_000, Warning}, {100 << 20, 1999, Warning},
	} {
		room.Bytes, room.Inodes = tt.bytes, tt.inodes
		want(t, RuntimeRoom("/run/user/7", room), tt.level, "XDG_RUNTIME_DIR, /run/user/7, has only ", "RuntimeDirectoryInodesMax")
	}
	// No number of inodes at all.
	want(t, RuntimeRoom("/run/user/7", Room{Bytes: 100 << 20, Type: tmpfs}), OK, "/run/user/7", "")
}

func TestInMemory(t *testing.T) {
	if r, found := InMemory("/run/user/7", Room{Type: tmpfs}); found {
		t.Errorf("on a tmpfs: %+v", r)
	}
	r, found := InMemory("/home/x/run", Room{Type: 0xef53})
	if !found {
		t.Fatal("on ext4: no warning")
	}
	want(t, r, Warning, "XDG_RUNTIME_DIR, /home/x/run, is on a disk", "tmpfs")
}

func TestNetworked(t *testing.T) {
	if r, found := Networked("general.state_dir", "/s", Room{Type: 0xef53}); found {
		t.Errorf("on ext4: %+v", r)
	}
	// The kernel's number is of 32 bits, that of Go signed.
	for kind, name := range map[int64]string{0x6969: "NFS", -11317950: "CIFS"} {
		r, found := Networked("general.state_dir", "/s", Room{Type: kind})
		if !found {
			t.Errorf("%s: no warning", name)
			continue
		}
		want(t, r, Warning, "general.state_dir, /s, is on "+name, "disk of this machine")
	}
}

func TestHome(t *testing.T) {
	u, dir := User{Name: "gitlab-runner", UID: os.Getuid()}, t.TempDir()
	if r, found := Home(dir, "/home/gitlab-runner", u); found {
		t.Errorf("one that works: %+v", r)
	}
	for home, words := range map[string]string{
		"": "HOME is not set", "home": `HOME is "home", which is not an absolute path`, dir + "/none": "HOME is " + dir + "/none, which does not exist",
	} {
		r, found := Home(home, "/home/gitlab-runner", u)
		if !found {
			t.Errorf("%q: no error", home)
			continue
		}
		want(t, r, Error, words, "set HOME in gitlab-runner's environment (its service, its supervisor, or sudo -H) to the home directory of gitlab-runner, /home/gitlab-runner")
	}
	passwd := passwdHome(CurrentUser())
	if r, found := OtherHome(passwd, CurrentUser()); found {
		t.Errorf("its own: %+v", r)
	}
	if r, found := OtherHome("/elsewhere", CurrentUser()); found != (passwd != "") {
		t.Errorf("another one: %+v, %v", r, found)
	} else if found {
		want(t, r, Warning, "HOME is /elsewhere, but the home directory of ", passwd)
	}
}

func TestNoNewPrivileges(t *testing.T) {
	status := func(v string) string { return "Name:\tx\nNoNewPrivs:\t" + v + "\nSeccomp:\t0\n" }
	if r, found := NoNewPrivileges(status("0"), false); found {
		t.Errorf("not set: %+v", r)
	}
	r, found := NoNewPrivileges(status("1"), false)
	if !found {
		t.Fatal("set: no error")
	}
	want(t, r, Error, "no_new_privs", "NoNewPrivileges=yes")
	r, _ = NoNewPrivileges(status("1"), true)
	want(t, r, Warning, "until the next restart of the machine", "NoNewPrivileges=yes")

	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "libpod", "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"1": false, "": false, "x": false, "999999999": false, strconv.Itoa(os.Getpid()) + "\n": true} {
		if err := os.WriteFile(filepath.Join(dir, "libpod", "tmp", "pause.pid"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := paused(dir); got != want {
			t.Errorf("pause.pid has %q: %v, want %v", text, got, want)
		}
	}
}

func TestPullPolicy(t *testing.T) {
	home := t.TempDir()
	etc := filepath.Join(home, "etc.json")
	r, found := PullPolicy(home, etc)
	if !found {
		t.Fatal("none: no warning")
	}
	want(t, r, Warning, "podman pulls no image", "containers-common")
	own := filepath.Join(home, ".config", "containers", "policy.json")
	if err := os.MkdirAll(filepath.Dir(own), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{own, etc} {
		if err := os.WriteFile(name, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, found := PullPolicy(home, etc); found {
			t.Errorf("%s: %+v", name, r)
		}
		_ = os.Remove(name)
	}
}

func TestKeys(t *testing.T) {
	const text = "    0:     9 8/8 900000/1000000 40/25000000\n  990:     4 4/4 159/200 260/20000\n  991:     4 4/4 160/200 260/20000\n"
	for uid, want := range map[int]bool{0: false, 990: false, 991: true, 992: false} {
		if r, found := Keys(text, User{UID: uid}); found != want {
			t.Errorf("user %d: %+v, %v", uid, r, found)
		}
	}
	r, _ := Keys(text, User{Name: "gitlab-runner", UID: 991})
	want(t, r, Warning, "160 of the 200 keys of gitlab-runner are in use", "kernel.keys.maxkeys")
}

func TestTempDir(t *testing.T) {
	dir := t.TempDir()
	if r, found := TempDir(dir); found {
		t.Errorf("one that works: %+v", r)
	}
	r, found := TempDir(dir + "/none")
	if !found {
		t.Fatal("none: no error")
	}
	want(t, r, Error, "does not exist or cannot be written to", "install -d -m 1777")
}
