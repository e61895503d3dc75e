package trust

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// tree is a directory with what paths lead over:
//
//	a/policy -> ../b/link    b/link -> TOP/c/policy    c/policy
//	d/e/file                 t (sticky)/policy, t/link -> ../c/policy
//	up/link -> ../d          loop -> loop
type tree struct {
	*testing.T
	top string
}

func newTree(t *testing.T) tree {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	tr := tree{t, t.TempDir()}
	for _, dir := range []string{"a", "b", "c", "d", "d/e", "t", "up"} {
		tr.ok(os.Mkdir(tr.at(dir), 0o700))
	}
	tr.ok(os.Chmod(tr.at("t"), fs.ModeSticky|0o777))
	for _, file := range []string{"c/policy", "d/e/file", "t/policy"} {
		tr.ok(os.WriteFile(tr.at(file), []byte(file), 0o600))
	}
	for link, target := range map[string]string{
		"a/policy": "../b/link", "b/link": tr.at("c/policy"), "t/link": "../c/policy", "up/link": "../d", "loop": "loop", "dangling": "none/file",
	} {
		tr.ok(os.Symlink(target, tr.at(link)))
	}
	return tr
}

func (t tree) at(name string) string { return filepath.Join(t.top, name) }

func (t tree) ok(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wrong checks that an error is of that place, says why, and has a hint for it.
func (t tree) wrong(err error, place, why string) {
	t.Helper()
	var untrusted *Error
	if !errors.As(err, &untrusted) || untrusted.Place != t.at(place) || !strings.Contains(untrusted.Why, why) || !strings.Contains(Hint(err), t.at(place)) {
		t.Errorf("%v (%s), want that %s %s", err, Hint(err), t.at(place), why)
	}
}

const everybody, stranger = "is writable by everyone", "belongs to user 12,"

// Each directory and each link on the way counts, wherever in a chain it is.
func TestPath(t *testing.T) {
	open := func(place string) func(tree) { return func(t tree) { t.ok(os.Chmod(t.at(place), 0o777)) } }
	given := func(place string) func(tree) { return func(t tree) { t.ok(os.Lchown(t.at(place), 12, -1)) } }
	tests := []struct {
		path       string
		change     func(tree)
		place, why string
	}{
		{"a/policy", nil, "", ""},
		{"a/policy", open("a"), "a", everybody},
		{"a/policy", open("b"), "b", everybody},
		{"a/policy", open("c"), "c", everybody},
		{"a/policy", open("c/policy"), "c/policy", everybody},
		{"a/policy", open("d"), "", ""},
		{"a/policy", given("a"), "a", stranger},
		{"a/policy", given("a/policy"), "a/policy", stranger},
		{"a/policy", given("b"), "b", stranger},
		{"a/policy", given("b/link"), "b/link", stranger},
		{"a/policy", given("c"), "c", stranger},
		{"a/policy", given("c/policy"), "c/policy", stranger},
		{"t/policy", nil, "", ""},
		{"t/policy", given("t/policy"), "t/policy", stranger},
		{"t/policy", given("t"), "t", stranger},
		{"t/link", nil, "", ""},
		{"t/link", given("t/link"), "t/link", stranger},
		{"d/e/file", open("d"), "d", everybody},
		{"d/e/file", open("d/e"), "d/e", everybody},
		{"d/e/file", func(t tree) { t.ok(os.Chown(t.at("d"), -1, 12)); t.ok(os.Chmod(t.at("d"), 0o770)) }, "d", "is writable by group 12"},
		{"d/e/file", func(t tree) { t.ok(os.Chown(t.at("d"), -1, 0)); t.ok(os.Chmod(t.at("d"), 0o770)) }, "", ""},
		// The kernel goes to d from the link, and then up from there.
		{"up/link/../c/policy", open("d"), "d", everybody},
		{"up/link/../c/policy", open("up"), "up", everybody},
	}
	for _, tt := range tests {
		tr := newTree(t)
		if tt.change != nil {
			tt.change(tr)
		}
		for how, err := range map[string]error{
			"path": Path(tr.top+"/"+tt.path, root()), "whereabouts": Whereabouts(tr.top+"/"+tt.path, root()), "below": Whereabouts(tr.top+"/"+tt.path+"/..", root()),
			"open": closed(Open(tr.top+"/"+tt.path, root())), "append": closed(Append(tr.top+"/"+tt.path, root())),
		} {
			switch {
			case tt.why != "":
				tr.wrong(err, tt.place, tt.why)
			case how == "below":
				if !errors.Is(err, syscall.ENOTDIR) {
					t.Errorf("%s/..: %v", tt.path, err)
				}
			case err != nil:
				t.Errorf("%s, %s: %v", tt.path, how, err)
			}
		}
	}
}

// root is the owner of the trees: CI's tests run as root, which can give files away.
func root() Identity { return Identity{UID: os.Geteuid(), GID: os.Getegid()} }

func closed(f *os.File, err error) error {
	if err == nil {
		err = f.Close()
	}
	return err
}

func TestPathThatIsNotThere(t *testing.T) {
	tr := newTree(t)
	for path, want := range map[string]error{"none": fs.ErrNotExist, "c/policy/x": syscall.ENOTDIR, "loop": syscall.ELOOP, "dangling": fs.ErrNotExist} {
		if err := Path(tr.at(path), root()); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	tr.ok(Whereabouts(tr.at("none/such"), root()))
	tr.ok(Whereabouts(tr.at("dangling"), root()))
	tr.ok(os.Chmod(tr.at("d"), 0o777))
	tr.wrong(Whereabouts(tr.at("d/none/such"), root()), "d", everybody)
}

// More people than the mode shows may be on an access control list.
func TestAccessControlList(t *testing.T) {
	tr := newTree(t)
	tr.ok(os.Chown(tr.at("c"), -1, 0))
	tr.ok(os.Chmod(tr.at("c"), 0o770))
	tr.ok(Path(tr.at("c/policy"), root()))
	// Version 2; user::rwx, user:12:rwx, group::r-x, mask::rwx, other::--- (linux/posix_acl_xattr.h).
	const none = "\xff\xff\xff\xff"
	acl := "\x02\x00\x00\x00" + "\x01\x00\x07\x00" + none + "\x02\x00\x07\x00\x0c\x00\x00\x00" + "\x04\x00\x05\x00" + none + "\x10\x00\x07\x00" + none + "\x20\x00\x00\x00" + none
	if err := syscall.Setxattr(tr.at("c"), "system.posix_acl_access", []byte(acl), 0); errors.Is(err, syscall.EOPNOTSUPP) {
		t.Skip("the file system of temporary files has no access control lists")
	} else if err != nil {
		t.Fatal(err)
	}
	tr.wrong(Path(tr.at("c/policy"), root()), "c", "through its access control list")
}

// What was judged is what is read, whatever is put in its place.
func TestOpenedIsWhatWasJudged(t *testing.T) {
	tr := newTree(t)
	f, err := Open(tr.at("a/policy"), root())
	tr.ok(err)
	defer f.Close()
	tr.ok(os.Remove(tr.at("c/policy")))
	tr.ok(os.WriteFile(tr.at("c/policy"), []byte("another"), 0o600))
	text := make([]byte, 100)
	n, _ := f.Read(text)
	if string(text[:n]) != "c/policy" {
		t.Errorf("read %q", text[:n])
	}
}

func TestAppend(t *testing.T) {
	tr := newTree(t)
	for range 2 {
		f, err := Append(tr.at("t/log"), root())
		tr.ok(err)
		_, err = f.WriteString("x")
		tr.ok(errors.Join(err, f.Close()))
	}
	text, err := os.ReadFile(tr.at("t/log"))
	info, statErr := os.Stat(tr.at("t/log"))
	if err != nil || statErr != nil || string(text) != "xx" || info.Mode() != 0o600 {
		t.Errorf("%q, %v, %v, %v", text, info, err, statErr)
	}
	tr.ok(closed(Append("/dev/null", root())))
	if err := closed(Append(tr.at("none/log"), root())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("below a directory that is not there: %v", err)
	}
	// Nothing is created or written to through somebody else's link.
	tr.ok(os.Symlink(tr.at("c/made"), tr.at("t/other")))
	tr.ok(os.Lchown(tr.at("t/other"), 12, -1))
	tr.wrong(closed(Append(tr.at("t/other"), root())), "t/other", stranger)
	if _, err := os.Lstat(tr.at("c/made")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
}

func TestMakeDir(t *testing.T) {
	tr := newTree(t)
	for range 2 {
		tr.ok(MakeDir(tr.at("t/x/y"), root()))
	}
	if info, err := os.Stat(tr.at("t/x")); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if err := MakeDir(tr.at("c/policy"), root()); err == nil || !strings.HasSuffix(err.Error(), "is not a directory") {
		t.Errorf("of a file: %v", err)
	}
	tr.ok(os.Chown(tr.at("t/x"), 12, -1))
	tr.wrong(MakeDir(tr.at("t/x/z"), root()), "t/x", stranger)
	if _, err := os.Lstat(tr.at("t/x/z")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
}

// Where others can write in between, it is not a private place of the owner; behind a door
// that only the owner opens, and at the end, it may be so.
func TestMakeOwn(t *testing.T) {
	tests := []struct {
		name       string
		change     func(tree)
		place, why string
	}{
		{"new", func(tree) {}, "", ""},
		{"twice", func(t tree) {
			t.ok(os.MkdirAll(t.at("d/builds/p/s"), 0o700))
			t.ok(os.Chmod(t.at("d/builds/p/s"), 0o777))
		}, "", ""},
		{"somebody's", func(t tree) { t.ok(os.Mkdir(t.at("d/builds"), 0o700)); t.ok(os.Chown(t.at("d/builds"), 12, -1)) }, "d/builds", "belongs to user 12, not to"},
		{"the last of somebody", func(t tree) {
			t.ok(os.MkdirAll(t.at("d/builds/p/s"), 0o700))
			t.ok(os.Chown(t.at("d/builds/p/s"), 12, -1))
		}, "d/builds/p/s", "belongs to user 12, not to"},
		{"open", func(t tree) { t.ok(os.Mkdir(t.at("d/builds"), 0o700)); t.ok(os.Chmod(t.at("d/builds"), 0o777)) }, "d/builds", everybody},
		{"open, behind an open door", func(t tree) {
			t.ok(os.MkdirAll(t.at("d/builds/p"), 0o755))
			t.ok(os.Chmod(t.at("d/builds/p"), 0o777))
		}, "d/builds/p", everybody},
		{"open, behind a closed door", func(t tree) {
			t.ok(os.MkdirAll(t.at("d/builds/p"), 0o700))
			t.ok(os.Chmod(t.at("d/builds/p"), 0o777))
		}, "", ""},
		{"the directory above", func(t tree) { t.ok(os.Chmod(t.at("d"), 0o777)) }, "d", everybody},
	}
	for _, tt := range tests {
		tr := newTree(t)
		tt.change(tr)
		f, err := MakeOwn(tr.at("d"), "builds/p/s", root())
		if tt.why != "" {
			tr.wrong(err, tt.place, tt.why)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		made, err := os.Stat(InHandle(f))
		named, namedErr := os.Lstat(tr.at("d/builds/p/s"))
		if err != nil || namedErr != nil || !os.SameFile(made, named) {
			t.Errorf("%s: %v, %v", tt.name, err, namedErr)
		}
		_ = f.Close()
	}
	tr := newTree(t)
	tr.ok(os.Symlink(tr.at("c"), tr.at("d/builds")))
	for _, below := range []string{"builds/p", "../c", "/c"} {
		if f, err := MakeOwn(tr.at("d"), below, root()); err == nil {
			t.Errorf("%s: made %s", below, f.Name())
		}
	}
	if _, err := os.Lstat(tr.at("c/p")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made behind a link: %v", err)
	}
}

// A walk leaves no descriptor open.
func TestNothingStaysOpen(t *testing.T) {
	tr := newTree(t)
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		tr.ok(err)
		return len(entries)
	}
	before := count()
	for range 20 {
		_ = Path(tr.at("a/policy"), root())
		_ = Path(tr.at("loop"), root())
		_ = Path(tr.at("c/policy/x"), root())
		_ = closed(Append(tr.at("none/log"), root()))
		_ = MakeDir(tr.at("c/policy"), root())
		_, _ = MakeOwn(tr.at("c"), "policy/x", root())
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// In a user namespace, files from outside cannot be distinguished from root's; another user's
// can.
func TestInUserNamespace(t *testing.T) {
	if os.Getenv("TRUST_TEST_PATH") != "" {
		if err := Path(os.Getenv("TRUST_TEST_PATH"), Self()); err != nil {
			t.Fatal(err)
		}
		return
	}
	tr := newTree(t)
	tr.ok(os.Chmod(tr.top, 0o755))
	try := func() (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestInUserNamespace$")
		cmd.Env = append(os.Environ(), "TRUST_TEST_PATH="+tr.at("a/policy"))
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := try(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tr.ok(os.Lchown(tr.at("b/link"), 12, -1))
	if out, err := try(); err != nil {
		t.Errorf("of somebody outside: %v\n%s", err, out)
	}
	tr.ok(os.Chmod(tr.at("b"), 0o777))
	if out, err := try(); err == nil || !strings.Contains(out, tr.at("b")+" "+everybody) {
		t.Errorf("everybody's: %v\n%s", err, out)
	}
}

func BenchmarkPath(b *testing.B) {
	name := filepath.Join(b.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := Path(name, root()); err != nil {
			b.Fatal(err)
		}
	}
}
