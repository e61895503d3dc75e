//go:build dist

package dist

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	version = "1.2.3-test"
	commit  = "0123456789ab"
	epoch   = 1_700_000_000
)

var (
	architectures = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	stages        = []string{"cleanup", "config", "prepare", "run"}
)

// TestDist makes a release twice, the second time in a copy of the repository at
// another place.
func TestDist(t *testing.T) {
	repository, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := makeDist(t, repository, filepath.Join(t.TempDir(), "one"))
	again := makeDist(t, clone(t, repository), filepath.Join(t.TempDir(), "two"))
	names := checkSame(t, dir, again)
	want := []string{"SHA256SUMS"}
	for arch := range architectures {
		name := "podman-executor-" + version + "-linux-" + arch
		want = append(want, name+".cdx.json", name+".tar.gz")
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("the files are %q, want %q", names, want)
	}
	run(t, dir, "sha256sum", "--check", "--strict", "SHA256SUMS")
	if sums := read(t, filepath.Join(dir, "SHA256SUMS")); bytes.Count(sums, []byte("\n")) != len(want)-1 {
		t.Errorf("checksums of not every file:\n%s", sums)
	}
	for arch, machine := range architectures {
		t.Run(arch, func(t *testing.T) { checkArchive(t, dir, arch, machine) })
	}
}

// makeDist runs `make dist` in a repository.
func makeDist(t *testing.T, repository, out string) string {
	t.Helper()
	run(t, repository, "make", "dist", "DIST="+out, "VERSION="+version, "COMMIT="+commit, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch))
	return out
}

// clone copies the files of the repository as they are, with other times and modes.
func clone(t *testing.T, repository string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "another", "place")
	for _, name := range strings.Split(strings.TrimSuffix(run(t, repository, "git", "ls-files", "-z"), "\x00"), "\x00") {
		info, err := os.Stat(filepath.Join(repository, name))
		if err == nil {
			err = os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), read(t, filepath.Join(repository, name)), info.Mode().Perm()&0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, "git", "init", "--quiet")
	run(t, dir, "git", "add", "--all", "--force")
	return dir
}

// checkSame compares two directories, and returns the names in them.
func checkSame(t *testing.T, one, two string) (names []string) {
	t.Helper()
	for _, dir := range []string{one, two} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, e := range entries {
			list = append(list, e.Name())
		}
		if names != nil && !slices.Equal(names, list) {
			t.Fatalf("two releases of the same source: %q and %q", names, list)
		}
		names = list
	}
	for _, name := range names {
		if !bytes.Equal(read(t, filepath.Join(one, name)), read(t, filepath.Join(two, name))) {
			t.Errorf("%s: the same source gives other bytes", name)
		}
	}
	return names
}

// checkArchive checks one architecture's programs, and the list of what is in them.
func checkArchive(t *testing.T, dist, arch string, machine elf.Machine) {
	name := "podman-executor-" + version + "-linux-" + arch
	dir := filepath.Join(t.TempDir(), "unpacked")
	files := unpack(t, filepath.Join(dist, name+".tar.gz"), dir)
	for _, file := range []string{"LICENSE", "README.md", "SECURITY.md", "docs/policy.md", "examples/config.toml", "image/runner.Containerfile"} {
		if !slices.Contains(files, name+"/"+file) {
			t.Errorf("the archive lacks %s", file)
		}
	}
	programs := map[string]string{}
	modules := map[string]bool{}
	for _, stage := range stages {
		file := filepath.Join(dir, name, "libexec", "podman-executor", stage)
		checkStatic(t, file, machine)
		programs[stage] = fmt.Sprintf("%x", sha256.Sum256(read(t, file)))
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		modules["std "+strings.TrimPrefix(info.GoVersion, "go")] = true
		for _, dep := range info.Deps {
			modules[dep.Path+" "+dep.Version] = true
		}
		if arch == runtime.GOARCH {
			want := fmt.Sprintf("podman-executor-%s %s (%s)\n", stage, version, commit)
			if got := run(t, dir, file, "--version"); got != want {
				t.Errorf("%s says %q, want %q", stage, got, want)
			}
		}
	}
	checkList(t, read(t, filepath.Join(dist, name+".cdx.json")), programs, modules)
}

// checkList compares a CycloneDX list with what the programs say of themselves.
func checkList(t *testing.T, text []byte, programs map[string]string, modules map[string]bool) {
	t.Helper()
	type component struct {
		Name, Version string
		Hashes        []struct{ Alg, Content string }
		Components    []component
	}
	var bom struct {
		BOMFormat  string
		Components []component
		Metadata   struct{ Component component }
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	if product := bom.Metadata.Component; bom.BOMFormat != "CycloneDX" || product.Name != "podman-executor" || product.Version != version {
		t.Errorf("the list is one of %s %s, in the format %q", product.Name, product.Version, bom.BOMFormat)
	}
	for _, c := range bom.Components {
		if id := c.Name + " " + c.Version; !modules[id] {
			t.Errorf("%s is in the list, and in no program", id)
		} else {
			delete(modules, id)
		}
	}
	for id := range modules {
		t.Errorf("%s is in a program, and not in the list", id)
	}
	for _, c := range bom.Metadata.Component.Components {
		if len(c.Hashes) != 1 || c.Hashes[0].Alg != "SHA-256" || c.Hashes[0].Content != programs[c.Name] {
			t.Errorf("the list has another checksum of %s: %v", c.Name, c.Hashes)
		}
		delete(programs, c.Name)
	}
	for name := range programs {
		t.Errorf("the list lacks the program %s", name)
	}
}

// checkStatic checks that a program needs nothing of the machine but its kernel.
func checkStatic(t *testing.T, name string, machine elf.Machine) {
	t.Helper()
	f, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != machine {
		t.Errorf("%s is for %v, want %v", name, f.Machine, machine)
	}
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Errorf("%s is not static", name)
	}
}

// unpack unpacks the files of an archive, root's and of one time, and returns their
// names.
func unpack(t *testing.T, name, dir string) (files []string) {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(read(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Mode&0o022 != 0 || !h.ModTime.Equal(time.Unix(epoch, 0)) {
			t.Errorf("%s: user %d, group %d, mode %#o, %v", h.Name, h.Uid, h.Gid, h.Mode, h.ModTime)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		files = append(files, path.Clean(h.Name))
		text, err := io.ReadAll(r)
		if err == nil {
			err = os.MkdirAll(filepath.Join(dir, path.Dir(h.Name)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, h.Name), text, os.FileMode(h.Mode))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// run runs a command and returns its standard output. make's own variables would
// change a make inside.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS") || strings.HasPrefix(v, "GIT_")
	})
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}
