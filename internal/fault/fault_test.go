package fault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podman-executor/pkg/podman"
)

// fixture is a file in testdata: a command, what podman said, and its exit status.
type fixture struct {
	name, version string
	err           error
}

// fixtures returns what the driver's own podman package makes of each file.
func fixtures(t *testing.T) (list []fixture) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	program := filepath.Join(t.TempDir(), "podman")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nsed -e 1d -e '$d' \"$SAID\" >&2\nexit $STATUS\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		command, isCommand := strings.CutPrefix(lines[0], "$ podman ")
		status, isStatus := strings.CutPrefix(lines[len(lines)-1], "exit ")
		if n, err := strconv.Atoi(status); !isCommand || !isStatus || err != nil || n == 0 {
			t.Fatalf("%s: want `$ podman COMMAND`, what it said, and `exit STATUS`", file)
		}
		file, err = filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		p := podman.Podman{Program: program, Env: []string{"PATH=" + podman.Path, "SAID=" + file, "STATUS=" + status}}
		_, err = p.Output(t.Context(), strings.Fields(command)...)
		base := strings.TrimSuffix(filepath.Base(file), ".txt")
		dash := strings.LastIndexByte(base, '-')
		list = append(list, fixture{base[:dash], base[dash+1:], err})
	}
	return list
}

// Each file belongs to one row, which is the one that its words lead to; and each row tells the
// versions of its files.
func TestFixtures(t *testing.T) {
	rowOf, seen := map[string]Row{}, map[string][]string{}
	for _, r := range Rows() {
		for _, name := range r.Fixtures {
			if other, there := rowOf[name]; there {
				t.Errorf("%s belongs to %s and %s", name, other.Name, r.Name)
			}
			rowOf[name] = r
		}
	}
	for _, f := range fixtures(t) {
		want, there := rowOf[f.name]
		if !there {
			t.Errorf("%s-%s belongs to no row", f.name, f.version)
			continue
		}
		if got, _ := Of(f.err); got.Name != want.Name {
			t.Errorf("%s-%s: row %q, want %q: %v", f.name, f.version, got.Name, want.Name, f.err)
		}
		if versions := seen[want.Name]; !slices.Contains(versions, f.version) {
			seen[want.Name] = append(versions, f.version)
		}
	}
	for _, r := range Rows() {
		slices.Sort(seen[r.Name])
		if diff := cmp.Diff(r.Versions, seen[r.Name]); diff != "" {
			t.Errorf("%s: the versions of its fixtures (-row +files):\n%s", r.Name, diff)
		}
	}
}

// A pull that the table says is the author's is one that podman's own retries count as refused.
func TestPullsAgree(t *testing.T) {
	for _, f := range fixtures(t) {
		var exit *podman.ExitError
		if !errors.As(f.err, &exit) || exit.Verb != "image pull" {
			continue
		}
		fault, _ := Of(f.err)
		if refused := podman.PullRefused(f.err); refused != (fault.Whose == Authors) {
			t.Errorf("%s-%s: refused: %v, whose: %s", f.name, f.version, refused, fault.Whose)
		}
	}
}

func TestRows(t *testing.T) {
	names := map[string]bool{}
	for _, r := range Rows() {
		says, err := regexp.Compile("(?i)" + r.Says)
		switch {
		case err != nil:
			t.Errorf("%s: %v", r.Name, err)
		case names[r.Name], !regexp.MustCompile(`\A[a-z0-9-]+\z`).MatchString(r.Name):
			t.Errorf("%q: the name is there twice, or cannot be an anchor", r.Name)
		case r.Cause == "" || r.Cure == "":
			t.Errorf("%s: no cause, or no cure", r.Name)
		case (len(r.Versions) == 0) == (r.Source == "") || (r.Words == "") != (r.Source == ""):
			t.Errorf("%s: want either versions, or words and their source", r.Name)
		case says.MatchString(""):
			t.Errorf("%s: fits anything", r.Name)
		case len(r.Errno) > 0 && strings.Contains(r.Cause+r.Cure, "${"):
			t.Errorf("%s: a system call has no words to take names from", r.Name)
		case strings.Contains(r.Cause+r.Cure, "${1}") && says.NumSubexp() == 0:
			t.Errorf("%s: no group for ${1}", r.Name)
		}
		names[r.Name] = true
	}
}

// What cannot be made here, in the words of the rows' sources, and what only looks like a fault.
func TestWords(t *testing.T) {
	said := func(verb, text string) error {
		return fmt.Errorf("x: %w", &podman.ExitError{Verb: verb, Code: 125, Stderr: text})
	}
	tests := []struct {
		err  error
		want string
	}{
		{said("run", "the flux capacitor is out of tune"), ""},
		{said("volume create", "database is locked"), "database-locked"},
		{said("start", `runc: runc create failed: unable to start container process: exec: "sh": executable file not found in $PATH: OCI runtime attempted to invoke a command that was not found`), "no-shell"},
		{said("start", `runc: runc create failed: unable to start container process: exec: "pasta": executable file not found in $PATH: OCI runtime attempted to invoke a command that was not found`), "no-program"},
		{said("start", "crun: executable file `pasta` not found in $PATH: No such file or directory"), "no-program"},
		{said("start", `runc: runc create failed: unable to start container process: exec: "/x": permission denied: OCI permission denied`), "not-executable"},
		{said("start", "OCI runtime attempted to invoke a command that was not found"), ""},
		{said("image pull", "unable to find user x: no matching entries in passwd file"), ""},
		{said("image pull", "crun: executable file `x` not found"), ""},
		{said("run", "OCI runtime error: runc: join session keyring: create session key: disk quota exceeded"), "keyrings"},
		{said("run", "mkdir /x: disk quota exceeded"), "disk-full"},
		{said("run", "saving state: database or disk is full"), "disk-full"},
		{said("image pull", `writing blob: storing blob to file "/var/tmp/x": write /var/tmp/x: no space left on device`), "disk-full"},
		{said("run", "mkdir /run/user/7/containers: no space left on device"), "runtime-dir-full"},
		{said("ps", "cannot clone: No space left on device"), "user-namespaces"},
		{said("run", "crun: writing file `/sys/fs/cgroup/x/cgroup.procs`: No space left on device"), "cgroup-full"},
		{said("run", "fork/exec /usr/bin/conmon: resource temporarily unavailable"), "processes"},
		{said("run", "crun: clone: Resource temporarily unavailable: OCI runtime error"), "processes"},
		{said("ps", "runtime: failed to create new OS thread (have 5 already; errno=11)"), "processes"},
		{said("image pull", "dial tcp: lookup x: Resource temporarily unavailable"), ""},
		{said("image pull", "denied: dial tcp 192.0.2.1:443: connect: connection refused"), "unreachable"},
		{said("image pull", `Get "https://r.example.com/v2/": dial tcp: lookup r.example.com: no such host`), "no-such-host"},
		{said("image pull", "reading manifest 1 in r.example.com/x: name unknown: repository not found"), "manifest-unknown"},
		{said("image pull", "StatusCode: 502, <html>"), "registry-down"},
		{said("image pull", "Error: layer not known"), ""},
		{said("run", "crun: sd-bus call: Interactive authentication required.: Permission denied: OCI permission denied"), "no-session"},
		{fmt.Errorf("writing the plan: %w", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}), "disk-full"},
		{fmt.Errorf("running podman ps: %w", &os.PathError{Op: "fork/exec", Path: "/usr/bin/podman", Err: syscall.EAGAIN}), "processes"},
		{fmt.Errorf("locking: %w", syscall.ENOLCK), "no-locks"},
		{errors.New("no space left on device"), ""},
		{nil, ""},
	}
	for _, r := range Rows() {
		if f, _ := find(append(r.Verbs, "run")[0], r.Words); r.Words != "" && f.Name != r.Name {
			t.Errorf("%s: its words lead to %q", r.Name, f.Name)
		}
	}
	for _, test := range tests {
		if f, known := Of(test.err); f.Name != test.want || known != (test.want != "") {
			t.Errorf("%v: row %q, want %q", test.err, f.Name, test.want)
		}
	}
}

// Hints have the names that podman says, and speak of disks only if it does.
func TestHint(t *testing.T) {
	f, _ := Starting("Error: unable to find user nosuch: no matching entries in passwd file")
	const want = "the image has no user `nosuch` in its /etc/passwd: fix `docker: user:` in .gitlab-ci.yml, or USER where the image is built; a number needs no entry"
	if f.Hint() != want || f.Whose != Authors {
		t.Errorf("%s: %s", f.Whose, f.Hint())
	}
	aboutDisks := regexp.MustCompile(`(?i)disk|\bspace\b|\bdf\b`)
	says := []string{"disk-full", "runtime-dir-full", "keyrings", "inotify", "user-namespaces", "no-locks", "storage-readonly", "database-locked"}
	for _, r := range Rows() {
		if aboutDisks.MatchString(r.Cause+r.Cure) && !slices.Contains(says, r.Name) {
			t.Errorf("%s: speaks of disks: %s: %s", r.Name, r.Cause, r.Cure)
		}
	}
}
