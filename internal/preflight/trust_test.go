package preflight

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDistrust(t *testing.T) {
	private, shared := Owner{UID: 990, GID: 990}, Owner{UID: 990, GID: 100}
	contained := Owner{UID: 990, GID: 990, Outside: 65534}
	tests := []struct {
		name     string
		owner    Owner
		mode     fs.FileMode
		uid, gid int
		isDir    bool
		want     string
	}{
		{"root's", private, 0o644, 0, 0, false, ""},
		{"the runner's", private, 0o600, 990, 990, false, ""},
		{"somebody's", private, 0o644, 12, 0, false, "belongs to the user 12"},
		{"everybody's", private, 0o646, 0, 0, false, "by everybody (mode 0646)"},
		{"a group's", private, 0o664, 0, 12, false, "by the group 12 (mode 0664)"},
		{"root's group", shared, 0o664, 0, 0, false, ""},
		{"the user's private group", private, 0o664, 990, 990, false, ""},
		{"the user's group, with others in it", shared, 0o664, 990, 100, false, "by the group 100"},
		{"a group that reads", shared, 0o640, 0, 12, false, ""},
		{"/tmp", private, fs.ModeSticky | 0o777, 0, 0, true, ""},
		{"somebody's sticky directory", private, fs.ModeSticky | 0o777, 12, 0, true, "belongs to the user 12"},
		{"a sticky file, which is nothing", private, fs.ModeSticky | 0o666, 0, 0, false, "by everybody"},
		{"nobody's, on the machine", private, 0o644, 65534, 0, false, "belongs to the user 65534"},
		{"from outside of a container", contained, 0o644, 65534, 65534, false, ""},
		{"from outside, for everybody", contained, 0o646, 65534, 65534, false, "by everybody"},
		{"another's in a container", contained, 0o644, 12, 0, false, "belongs to the user 12"},
		{"a directory of everybody's", private, 0o777, 990, 990, true, "by everybody"},
	}
	for _, tt := range tests {
		got := tt.owner.distrust(tt.mode, tt.uid, tt.gid, tt.isDir)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestMapsAll(t *testing.T) {
	for text, want := range map[string]bool{
		"         0          0 4294967295\n":                               true,
		"         0       1000          1\n":                               false,
		"         0       1000          1\n         1     100000  65536\n": false,
		"": false,
	} {
		if got := mapsAll(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestTrusted: the file, the directories above it, and both ends of links.
func TestTrusted(t *testing.T) {
	top := t.TempDir()
	at := func(name string) string { return filepath.Join(top, name) }
	chmod := func(name string, mode fs.FileMode) {
		t.Helper()
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"etc", "etc/driver", "real", "links"} {
		if err := os.Mkdir(at(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"etc/driver/policy", "real/policy"} {
		if err := os.WriteFile(at(file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(at("real/policy"), at("links/policy")); err != nil {
		t.Fatal(err)
	}
	check := func(name, place string) {
		t.Helper()
		err := Trusted(at(name), CurrentOwner())
		var untrusted *UntrustedError
		switch {
		case place == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case place != "" && (!errors.As(err, &untrusted) || untrusted.Place != at(place)):
			t.Errorf("%s: %v, want what is wrong with %s", name, err, at(place))
		case place != "" && !strings.Contains(TrustCure(err), "chmod go-w "+at(place)):
			t.Errorf("cure %q", TrustCure(err))
		}
	}
	check("etc/driver/policy", "")
	check("links/policy", "")
	chmod("etc/driver/policy", 0o606)
	check("etc/driver/policy", "etc/driver/policy")
	chmod("etc/driver/policy", 0o600)
	chmod("etc", 0o707)
	check("etc/driver/policy", "etc")
	chmod("etc", 0o700)
	chmod("links", 0o707)
	check("links/policy", "links")
	chmod("links", 0o700)
	chmod("real", 0o707)
	check("links/policy", "real")
	if err := Trusted(at("none"), CurrentOwner()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a file that is not there: %v", err)
	}
}
