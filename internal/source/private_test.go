package source

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// inside calls this test again, as another process, which has the environment variable;
// it returns false there.
func inside(t *testing.T, attr *syscall.SysProcAttr, environ ...string) bool {
	t.Helper()
	const mark = "SOURCE_TEST_INSIDE"
	if os.Getenv(mark) == t.Name() {
		return false
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), mark+"="+t.Name(), topVariable+"="+t.TempDir()), environ...)
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	return true
}

// topVariable names a directory that is removed when the mounts in it are gone.
const topVariable = "SOURCE_TEST_TOP"

func ok(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func look(t *testing.T) *Host {
	t.Helper()
	h, err := Look()
	ok(t, err)
	return h
}

// What counts is what this user, or its groups, can read or write and others cannot:
// whoever owns it.
func TestPrivateOfGroups(t *testing.T) {
	if os.Getenv("SOURCE_TEST_INSIDE") == "" && os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	dir := os.Getenv("SOURCE_TEST_DIR")
	if dir == "" {
		dir = openTree(t, 4321, 5000)
	}
	if inside(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4321, Gid: 4321, Groups: []uint32{5000}}}, "SOURCE_TEST_DIR="+dir) {
		return
	}
	h := look(t)
	for name, want := range map[string]bool{
		"public": false, "public/file": false, "public/root": false, "public/none": false,
		"public/group": true, "public/writable": true, "public/own": true, "public/link": true,
		"closed": true, "closed/file": true, "mine/none/such": true, "mine": true, "linked/none": true,
	} {
		p := h.Private([]Place{{filepath.Join(dir, name), Whole}})
		if got := len(p.places) > 0; got != want {
			t.Errorf("%s: private: %v, want %v", name, got, want)
		}
		if !want {
			continue
		}
		for path := h.Resolve(filepath.Join(dir, name), nil).Name; path != "/"; path = filepath.Dir(path) {
			if !p.Shows(path) || !p.Names(path) {
				t.Errorf("%s does not show %s", path, name)
			}
		}
	}
	p := h.Private([]Place{{filepath.Join(dir, "linked/none"), Whole}})
	if !p.Shows(filepath.Join(dir, "mine/none")) || p.Shows(filepath.Join(dir, "mine/other")) || !p.Shows(filepath.Join(dir, "mine")) {
		t.Errorf("where a link leads: %+v", p.places)
	}
}

// openTree makes files of root's, of the user and of the group.
func openTree(t *testing.T, uid, gid int) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "source")
	ok(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	at := func(name string) string { return filepath.Join(dir, name) }
	ok(t, os.Chmod(dir, 0o755))
	for _, name := range []string{"public", "closed", "mine"} {
		ok(t, os.Mkdir(at(name), 0o755))
	}
	for name, mode := range map[string]fs.FileMode{"public/file": 0o644, "public/root": 0o600, "public/group": 0o640, "public/writable": 0o664, "public/own": 0o644, "closed/file": 0o644} {
		ok(t, os.WriteFile(at(name), nil, 0o600), os.Chmod(at(name), mode))
	}
	for _, name := range []string{"public/group", "public/writable", "closed"} {
		ok(t, os.Chown(at(name), 0, gid))
	}
	ok(t, os.Chmod(at("closed"), 0o750), os.Chown(at("public/own"), uid, 0), os.Chown(at("mine"), uid, 0))
	ok(t, os.Symlink("group", at("public/link")), os.Symlink("mine", at("linked")))
	return dir
}

// A home is private but for its directories without a dot, a directory of temporary
// files but for what is everybody's.
func TestKinds(t *testing.T) {
	home, scratch := t.TempDir(), t.TempDir()
	for _, dir := range []string{"data/.git", ".ssh"} {
		ok(t, os.MkdirAll(filepath.Join(home, dir), 0o700))
	}
	ok(t, os.WriteFile(filepath.Join(home, "file"), nil, 0o600))
	top := filepath.Dir(scratch)
	ok(t, os.Chmod(top, 0o755), os.Chmod(scratch, 0o777))
	for name, mode := range map[string]fs.FileMode{"storage123": 0o700, "data": 0o755, "half": 0o750} {
		ok(t, os.Mkdir(filepath.Join(scratch, name), 0o700), os.Chmod(filepath.Join(scratch, name), mode))
	}
	p := look(t).Private([]Place{{home, Home}, {scratch, Scratch}})
	for name, want := range map[string]bool{
		home: true, home + "/.ssh": true, home + "/.ssh/x": true, home + "/.none": true, home + "/file": true, home + "/none": true,
		home + "/data": false, home + "/data/.git": false, home + "/data/none": false,
		scratch: true, scratch + "/storage123": true, scratch + "/storage123/1": true, scratch + "/half": true, scratch + "/none": true,
		scratch + "/data": false, scratch + "/data/x": false, top: true, "/tmp": true, "/usr": false,
	} {
		if got := p.Shows(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if got := p.Names(name + "/."); got != want {
			t.Errorf("by its name, %s: %v, want %v", name, got, want)
		}
	}
	ok(t, os.Link(filepath.Join(home, "file"), filepath.Join(scratch, "data", "other")))
	if !look(t).Private([]Place{{home + "/file", Whole}}).Shows(filepath.Join(scratch, "data", "other")) {
		t.Error("a hard link is taken for another file")
	}
}

// namespace is a mount namespace of its own, in a user namespace, so that mounts can be
// made by anybody.
func namespace() *syscall.SysProcAttr {
	ids := func(id int) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
	}
	return &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: ids(os.Geteuid()), GidMappings: ids(os.Getegid()),
	}
}

func bind(t *testing.T, from, to string) {
	t.Helper()
	ok(t, syscall.Mount(from, to, "", syscall.MS_BIND|syscall.MS_REC, ""))
}

// A bind mount of the host shows a private place by another name: all of it, what it is
// in, and what is in it; and a directory shows what is mounted in it.
func TestBindMounts(t *testing.T) {
	if inside(t, namespace()) {
		return
	}
	top := os.Getenv(topVariable)
	at := func(name string) string { return filepath.Join(top, name) }
	for _, dir := range []string{"home/.config/containers/sub", "home/data", "whole", "above", "part", "sibling", "data/mounted", "data/plain", "a b"} {
		ok(t, os.MkdirAll(at(dir), 0o700))
	}
	p := func() Private {
		return look(t).Private([]Place{{at("home/.config/containers"), Whole}, {at("home/.config/none"), Whole}})
	}
	if p().Shows(at("data")) {
		t.Error("before there are mounts, data is private")
	}
	bind(t, at("home/.config"), at("whole"))
	bind(t, at("home"), at("above"))
	bind(t, at("home/.config/containers/sub"), at("part"))
	bind(t, at("home/data"), at("sibling"))
	bind(t, at("home/.config/containers"), at("data/mounted"))
	bind(t, at("home/.config"), at("a b"))
	for name, want := range map[string]bool{
		"whole": true, "whole/containers": true, "whole/containers/sub": true, "whole/none": true, "whole/other": false,
		"above": true, "above/.config": true, "above/data": false, "part": true, "part/none": true, "sibling": false,
		"data": true, "data/mounted": true, "data/plain": false, "a b/containers": true,
	} {
		if got := p().Shows(at(name)); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// Whatever tree and mounts there are: a path from which a private place, or a part of
// one, can be reached is refused.
func TestNothingPrivateIsReached(t *testing.T) {
	if inside(t, namespace()) {
		return
	}
	var refused, granted int
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 13))
		top := filepath.Join(os.Getenv(topVariable), fmt.Sprint("tree", seed))
		dirs := randomTree(t, r, top)
		var candidates []Place
		for range 1 + r.IntN(3) {
			candidates = append(candidates, Place{dirs[1+r.IntN(len(dirs)-1)], Whole})
		}
		h := look(t)
		private := h.Private(candidates)
		secret := map[file]bool{}
		for _, c := range candidates {
			for f := range reached(t, h.Resolve(c.Path, nil).Name) {
				secret[f] = true
			}
		}
		for _, dir := range dirs {
			shows := private.Shows(h.Resolve(dir, nil).Name)
			for f := range reached(t, h.Resolve(dir, nil).Name) {
				if secret[f] && !shows {
					mounts, _ := os.ReadFile("/proc/self/mountinfo")
					t.Fatalf("seed %d: from %s what is in %v is reached\n%s", seed, dir, candidates, mounts)
				}
			}
			if shows {
				refused++
			} else {
				granted++
			}
		}
	}
	if refused < 100 || granted < 100 {
		t.Errorf("%d were refused, %d granted: that shows little", refused, granted)
	}
}

// randomTree makes directories, links and bind mounts, and returns their paths.
func randomTree(t *testing.T, r *rand.Rand, top string) []string {
	t.Helper()
	ok(t, os.Mkdir(top, 0o700))
	dirs := []string{top}
	any := func() string { return dirs[r.IntN(len(dirs))] }
	for i := range 20 {
		name := filepath.Join(any(), fmt.Sprint("d", i))
		ok(t, os.Mkdir(name, 0o700))
		dirs = append(dirs, name)
	}
	for i := range 4 {
		name := filepath.Join(any(), fmt.Sprint("l", i))
		ok(t, os.Symlink(any(), name))
		dirs = append(dirs, name)
	}
	for range 4 {
		from, to := any(), any()
		if to == top || strings.HasPrefix(to+"/", from+"/") || syscall.Mount(from, to, "", syscall.MS_BIND|syscall.MS_REC, "") != nil {
			continue
		}
	}
	// What a mount has hidden is not there any more.
	there := dirs[:0:0]
	for _, dir := range dirs {
		if _, err := os.Stat(dir); err == nil {
			there = append(there, dir)
		}
	}
	return there
}

// reached are all directories that a mount of a path shows.
func reached(t *testing.T, top string) map[file]bool {
	t.Helper()
	found := map[file]bool{}
	ok(t, filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			found[fileOf(name)] = true
		}
		return err
	}))
	return found
}
