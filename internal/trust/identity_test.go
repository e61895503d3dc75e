package trust

import (
	"io/fs"
	"strings"
	"testing"
)

func TestDistrust(t *testing.T) {
	private, shared := Identity{UID: 990, GID: 990}, Identity{UID: 990, GID: 100}
	contained := Identity{UID: 990, GID: 990, Outside: 65534}
	tests := []struct {
		name     string
		owner    Identity
		mode     fs.FileMode
		uid, gid int
		isDir    bool
		want     string
	}{
		{"root's", private, 0o644, 0, 0, false, ""},
		{"the runner's", private, 0o600, 990, 990, false, ""},
		{"somebody's", private, 0o644, 12, 0, false, "belongs to user 12"},
		{"everybody's", private, 0o646, 0, 0, false, "by everyone (mode 0646)"},
		{"a group's", private, 0o664, 0, 12, false, "by group 12 (mode 0664)"},
		{"root's group", shared, 0o664, 0, 0, false, ""},
		{"the user's private group", private, 0o664, 990, 990, false, ""},
		{"the user's group, with others in it", shared, 0o664, 990, 100, false, "by group 100"},
		{"a group that reads", shared, 0o640, 0, 12, false, ""},
		{"/tmp", private, fs.ModeSticky | 0o777, 0, 0, true, ""},
		{"somebody's sticky directory", private, fs.ModeSticky | 0o777, 12, 0, true, "belongs to user 12"},
		{"a sticky file, which is nothing", private, fs.ModeSticky | 0o666, 0, 0, false, "by everyone"},
		{"nobody's, on the machine", private, 0o644, 65534, 0, false, "belongs to user 65534"},
		{"from outside of a container", contained, 0o644, 65534, 65534, false, ""},
		{"from outside, for everybody", contained, 0o646, 65534, 65534, false, "by everyone"},
		{"another's in a container", contained, 0o644, 12, 0, false, "belongs to user 12"},
		{"a directory of everybody's", private, 0o777, 990, 990, true, "by everyone"},
	}
	for _, tt := range tests {
		if tt.isDir {
			tt.mode |= fs.ModeDir
		}
		got := tt.owner.distrust(tt.mode, tt.uid, tt.gid)
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
