package pin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// open finds what stands at a path, and nothing behind a symbolic link.
func TestOpen(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "a", "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "a", "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"link": "a", "a/up": "..", "a/to-file": "file", "a/dangling": "nowhere", "a/absolute": "/etc"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"", "a", "a/b", "a/file"} {
		fd, err := open(filepath.Join(root, name))
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		var got, want unix.Stat_t
		if err := errors.Join(unix.Fstat(fd, &got), unix.Stat(filepath.Join(root, name), &want)); err != nil || got.Ino != want.Ino {
			t.Errorf("%q: inode %d, want %d, %v", name, got.Ino, want.Ino, err)
		}
		_ = unix.Close(fd)
	}
	for _, name := range []string{"link", "link/b", "a/up", "a/up/a", "a/to-file", "a/dangling", "a/absolute", "a/absolute/passwd", "a/nothing", "a/file/x", "nothing/x"} {
		if _, err := open(filepath.Join(root, name)); !errors.Is(err, ErrChanged) {
			t.Errorf("%q: %v, want %v", name, err, ErrChanged)
		}
	}
	for _, name := range []string{"", ".", "a", root + "/", root + "/a/../a", root + "//a"} {
		if _, err := open(name); err == nil || errors.Is(err, ErrChanged) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// What is neither a directory nor a file is not mounted, and nothing is made for it.
func TestPinOfOtherKinds(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{pipe, "/dev/null"} {
		if err := pin(source, filepath.Join(dir, "0")); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v", source, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "0")); err == nil {
			t.Errorf("%s: a target was made", source)
		}
	}
}

func TestProgram(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/etc", link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   []string
		status int
		said   string
	}{
		{nil, 1, "want pin-volumes DIR SOURCE… or unpin-volumes DIR…"},
		{[]string{Verb}, 1, "want pin-volumes"},
		{[]string{"other", "x"}, 1, "want pin-volumes"},
		{[]string{Verb, t.TempDir(), link}, ExitChanged, "mounting " + link + ": it has changed since it was checked"},
		{[]string{UndoVerb, "/does/not/exist"}, 0, ""},
	} {
		var stderr strings.Builder
		if status := Main(test.args, &stderr); status != test.status || !strings.Contains(stderr.String(), test.said) {
			t.Errorf("%q: %d, %q", test.args, status, stderr.String())
		}
	}
}
