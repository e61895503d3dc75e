package fetch

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The architectures of the machine and of another.
var (
	here      = runtime.GOARCH
	elsewhere = map[bool]string{true: "s390x", false: "amd64"}[here == "amd64"]
)

// gpgvSaid finds the words of gpgv, which differ from version to version.
var gpgvSaid = regexp.MustCompile(`(has no good signature: )gpgv: .*\n`)

// outcome is what a user sees of a run.
type outcome struct {
	status  int
	said    string // on standard output and error, with URL, KEY and DIR in place of what differs from run to run
	program string
	mode    os.FileMode
	record  string // OUTPUT.version
}

// install runs the script. Of the environment only what is needed gets through.
func install(t *testing.T, url, key string, args ...string) outcome {
	t.Helper()
	return installWith(t, os.Getenv("PATH"), url, key, args...)
}

// installWith is install with another PATH.
func installWith(t *testing.T, programs, url, key string, args ...string) outcome {
	t.Helper()
	dir := t.TempDir()
	output := filepath.Join(dir, "gitlab-runner")
	cmd := exec.Command("../../../../image/build/install-gitlab-runner", append(args, output)...)
	cmd.Env = []string{
		"PATH=" + programs, "LC_ALL=C", "TMPDIR=" + dir, "no_proxy=*",
		"GITLAB_RUNNER_DOWNLOADS=" + url, "GITLAB_RUNNER_RELEASES=" + url + "/releases",
	}
	if key != "" {
		cmd.Env = append(cmd.Env, "GITLAB_RUNNER_KEY="+key)
	}
	said, _ := cmd.CombinedOutput()
	o := outcome{status: cmd.ProcessState.ExitCode()}
	o.said = strings.NewReplacer(url, "URL", dir, "DIR").Replace(string(said))
	if info, err := os.Stat(output); err == nil {
		o.mode = info.Mode()
		o.program = read(t, output)
		o.record = read(t, output+".version")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "tmp.*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	return o
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// installed is the outcome of a run that installs.
func installed(version, architecture string, content []byte, before string) outcome {
	digest := fmt.Sprintf("%x", sha256.Sum256(content))
	return outcome{
		said:    before + fmt.Sprintf("install-gitlab-runner: gitlab-runner %s for %s, sha256 %s\n", version, architecture, digest),
		program: string(content),
		mode:    0o755,
		record:  fmt.Sprintf("version=%s\nsha256=%s\n", version, digest),
	}
}

func TestInstall(t *testing.T) {
	t.Parallel()
	crossed := fmt.Sprintf("install-gitlab-runner: the program for %s does not run here; the one for %s of the same list says its version\n", elsewhere, here)
	for _, test := range []struct{ name, version, argument, architecture, want, before string }{
		{"version", "19.4.0", here, here, "19.4.0", ""},
		{"tag", "v19.3.0", here, here, "19.3.0", ""},
		{"latest is the highest version", "latest", here, here, "19.4.0", ""},
		{"another architecture", "19.4.0", elsewhere, elsewhere, "19.4.0", crossed},
		{"no architecture is this machine's", "19.4.0", "", here, "19.4.0", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			got := install(t, serve(t, s), s.keys.export(t, gitlab), test.version, test.argument)
			diff(t, installed(test.want, test.architecture, program(test.want, test.architecture), test.before), got)
		})
	}
}

// TestMachines lets uname say what it says on machines of each architecture, whose
// packages and images call it otherwise.
func TestMachines(t *testing.T) {
	t.Parallel()
	content := []byte("#!/bin/sh\necho 'Version:      19.4.0'\n")
	for machine, architecture := range map[string]string{
		"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386", "loongarch64": "loong64",
		"ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x",
	} {
		t.Run(machine, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "gitlab-runner"), content)
			uname := write(t, filepath.Join(dir, "uname"), []byte("#!/bin/sh\necho "+machine+"\n"))
			if err := os.Chmod(uname, 0o755); err != nil {
				t.Fatal(err)
			}
			got := installWith(t, dir+":"+os.Getenv("PATH"), "http://127.0.0.1:1", "", "--local", dir, "latest", "")
			diff(t, installed("19.4.0", architecture, content, "install-gitlab-runner: taking "+dir+"/gitlab-runner as it is\n"), got)
		})
	}
}

// TestRealProgram serves the gitlab-runner that the other tests use.
func TestRealProgram(t *testing.T) {
	t.Parallel()
	binary := os.Getenv("GITLAB_RUNNER")
	if binary == "" {
		binary = "../../../../bin/test/gitlab-runner"
	}
	content := []byte(read(t, binary))
	said, err := exec.Command(binary, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(said), "\n")
	version := strings.TrimSpace(strings.TrimPrefix(first, "Version:"))
	path := "binaries/gitlab-runner-linux-" + here
	s := newSite(t)
	s.files["/v"+version+"/"+path] = content
	s.list(t, version, fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(content), path), gitlab)
	got := install(t, serve(t, s), s.keys.export(t, gitlab), version, here)
	diff(t, installed(version, here, content, ""), got)
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	for _, test := range refusals {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			good := s.files[path]
			if test.spoil != nil {
				test.spoil(t, s)
			}
			if test.pinned == "" {
				test.pinned = gitlab
			}
			if test.args == nil {
				test.args = []string{"19.4.0", here}
			}
			got := install(t, serve(t, s), s.keys.export(t, test.pinned), test.args...)
			got.said = strings.NewReplacer(
				fmt.Sprintf("%x", sha256.Sum256(good)), "GOOD", fmt.Sprintf("%x", sha256.Sum256(s.files[path])), "SPOILT",
				"linux-"+here+"\n", "linux-HERE\n",
			).Replace(got.said)
			got.said = gpgvSaid.ReplaceAllString(got.said, "${1}GPGV\n")
			want := "install-gitlab-runner: error: " + test.message + "\n"
			for _, hint := range test.hints {
				want += "install-gitlab-runner: hint: " + hint + "\n"
			}
			diff(t, outcome{status: 1, said: want}, got)
		})
	}
}

// TestNoServer wants an error that tells what can be done without that network.
func TestNoServer(t *testing.T) {
	t.Parallel()
	got := install(t, "http://127.0.0.1:1", "", "19.4.0", here)
	want := `install-gitlab-runner: hint: without that network, give a gitlab-runner: podman build --build-context runner=DIRECTORY
install-gitlab-runner: hint: or name mirrors in GITLAB_RUNNER_DOWNLOADS and GITLAB_RUNNER_RELEASES
`
	first, rest, _ := strings.Cut(got.said, "\n")
	if !strings.HasPrefix(first, "install-gitlab-runner: error: fetching URL/v19.4.0/release.sha256: curl: (7) ") {
		t.Errorf("said %q", first)
	}
	got.said = rest
	diff(t, outcome{status: 1, said: want}, got)
}

func TestLocal(t *testing.T) {
	t.Parallel()
	const unreachable = "http://127.0.0.1:1"
	broken := []byte("#!/bin/sh\nexit 1\n")
	for _, test := range []struct {
		name, version, architecture string
		content                     []byte
		want                        outcome
	}{
		{"latest", "latest", here, program("19.4.0", here), installed("19.4.0", here, program("19.4.0", here), "install-gitlab-runner: taking DIR/gitlab-runner as it is\n")},
		{"a build of one's own", "latest", here, program("19.5.0~beta.7", here), installed("19.5.0~beta.7", here, program("19.5.0~beta.7", here), "install-gitlab-runner: taking DIR/gitlab-runner as it is\n")},
		{"the version named", "v19.4.0", here, program("19.4.0", here), installed("19.4.0", here, program("19.4.0", here), "install-gitlab-runner: taking DIR/gitlab-runner as it is\n")},
		{"cannot be asked", "19.4.0", elsewhere, broken, installed("unknown", elsewhere, broken, "install-gitlab-runner: taking DIR/gitlab-runner as it is\n")},
		{"another version", "19.3.0", here, program("19.4.0", here), outcome{status: 1, said: "install-gitlab-runner: error: DIR/gitlab-runner is version 19.4.0, not 19.3.0\ninstall-gitlab-runner: hint: leave RUNNER_VERSION at latest to take the program as it is\n"}},
		{"does not run", "latest", here, broken, outcome{status: 1, said: "install-gitlab-runner: error: DIR/gitlab-runner does not say its version\ninstall-gitlab-runner: hint: want a gitlab-runner for " + here + "\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "gitlab-runner"), test.content)
			got := install(t, unreachable, "", "--local", dir, test.version, test.architecture)
			got.said = strings.ReplaceAll(got.said, dir, "DIR")
			diff(t, test.want, got)
		})
	}
}

// TestLocalDirectoryEmpty is the build without --build-context.
func TestLocalDirectoryEmpty(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	got := install(t, serve(t, s), s.keys.export(t, gitlab), "--local", t.TempDir(), "19.4.0", here)
	diff(t, installed("19.4.0", here, program("19.4.0", here), ""), got)
}

func diff(t *testing.T, want, got outcome) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
