package step

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// container is what stands in for a container: a shell of this machine, a
// directory in place of the tmpfs, a home, and a PATH.
type container struct {
	shell []string
	dir   string
	home  string
	path  string
	// builds and cache are for everybody to write, once a runner step has begun.
	builds, cache string
	// inputEnds tells that the input ends with the script, as when the driver
	// is killed. Otherwise it stays open.
	inputEnds bool
	// env is the image's environment, but for PATH and HOME.
	env []string
}

// programs are what the stub and the scripts below need of an image.
var programs = []string{"cat", "chmod", "echo", "env", "find", "head", "mktemp", "mv", "rm", "sh", "true", "wc"}

// inShells runs a test in each shell that images have, with and without a bash
// beside it.
func inShells(t *testing.T, test func(*testing.T, container)) {
	t.Helper()
	for _, shell := range []string{"sh", "dash", "bash", "busybox"} {
		for _, bash := range []bool{true, false} {
			name := shell + " with bash"
			if !bash {
				name = shell + " without bash"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, newContainer(t, shell, bash))
			})
		}
	}
}

func newContainer(t *testing.T, shell string, bash bool) container {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skipf("no %s on this machine", shell)
	}
	c := container{shell: []string{path}, dir: t.TempDir(), home: t.TempDir(), path: t.TempDir(), builds: t.TempDir(), cache: t.TempDir()}
	if shell == "busybox" {
		c.shell = append(c.shell, "sh")
	}
	all := programs
	if bash {
		all = append([]string{"bash"}, programs...)
	}
	for _, p := range all {
		real, err := exec.LookPath(p)
		if err != nil {
			t.Skipf("no %s on this machine", p)
		}
		if err := os.Symlink(real, filepath.Join(c.path, p)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// result is how a run of the stub ended.
type result struct {
	stdout, stderr string
	code           int
}

// run runs the stub as podman would, with the directory in place of the tmpfs:
// empty, as it is at each start of a container.
func (c container) run(t *testing.T, where Where, entry EntryPoint, input io.Reader) result {
	t.Helper()
	return c.runWhile(t, where, entry, input, func(*os.Process) {})
}

// runWhile does something while the stub runs, after it has got its input.
func (c container) runWhile(t *testing.T, where Where, entry EntryPoint, input io.Reader, while func(*os.Process)) result {
	t.Helper()
	here := func(s string) string { return strings.ReplaceAll(s, Dir, c.dir) }
	stdin, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	for _, name := range []string{"script", "script.ps1", "start", "login", "started"} {
		_ = os.Remove(filepath.Join(c.dir, name))
	}
	args := append([]string{}, c.shell[1:]...)
	for _, arg := range Command(where, entry, c.sources(), c.builds, c.cache) {
		args = append(args, here(arg))
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(c.shell[0], args...)
	cmd.Env = append([]string{"PATH=" + c.path, "HOME=" + c.home}, c.env...)
	cmd.Dir = c.home
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = stdin.Close()
	// What does not read everything ends the copy, and that is all it ends.
	_, _ = io.Copy(feed, input)
	if c.inputEnds {
		_ = feed.Close()
	}
	while(cmd.Process)
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), withoutProfile(stderr.String()), cmd.ProcessState.ExitCode()}
}

// sources are those of a project in the builds.
func (c container) sources() Sources {
	return Sources{Root: c.builds, Project: c.builds + "/token/0/group/project"}
}

// withoutProfile drops what this machine's own profile says: a login shell reads
// it, and misses the programs that it calls.
func withoutProfile(stderr string) string {
	var kept strings.Builder
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "/etc/profile") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// input is what a container gets for a script: the size in it is of the text
// with the directory in place of the tmpfs.
func (c container) input(t *testing.T, script string) io.Reader {
	t.Helper()
	return c.inputBehind(t, script, CleanNothing)
}

// inputBehind is that for a script before which something is taken away.
func (c container) inputBehind(t *testing.T, script string, clean Clean) io.Reader {
	t.Helper()
	text, err := io.ReadAll(Input([]byte(script), clean))
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(text), "\n")
	_, kind, _ := strings.Cut(head, " ")
	body = strings.ReplaceAll(body, Dir, c.dir)
	return strings.NewReader(strings.Join([]string{strconv.Itoa(len(body)), " ", kind, "\n", body}, ""))
}

// runScript runs a script of the user's in the image's best shell.
func (c container) runScript(t *testing.T, script string) result {
	t.Helper()
	return c.run(t, User, EntryPoint{Shell: true}, c.input(t, script))
}

func want(t *testing.T, got, want result) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func TestStubRunsScript(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		want(t, c.runScript(t, "#!/bin/sh\necho hello; echo oh >&2\n"), result{"hello\n", "oh\n", 0})
		// Whatever gitlab-runner puts first, the script is run by the image's best
		// shell: a bash in name only would not have arrays.
		if _, err := os.Stat(filepath.Join(c.path, "bash")); err == nil {
			want(t, c.runScript(t, "#!/bin/sh\na=(1 2); echo ${a[1]}\n"), result{"2\n", "", 0})
		}
	})
}

func TestStubExitCodes(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		for _, code := range []int{0, 1, 42, 125, 126, 127, 137, 255} {
			want(t, c.runScript(t, "#!/bin/sh\nexit "+strconv.Itoa(code)+"\n"), result{code: code})
			// The same behind an entry point, where the stub waits.
			entry := EntryPoint{Words: []string{"env", "-u", "X"}, Shell: true}
			want(t, c.run(t, User, entry, c.input(t, "#!/bin/sh\nexit "+strconv.Itoa(code)+"\n")), result{code: code})
		}
	})
}

// TestStubRefuses: a script that did not arrive whole does not run, not even the
// part of it that did.
func TestStubRefuses(t *testing.T) {
	tests := []struct{ name, input string }{
		{"nothing", ""},
		{"a line that does not end", "30 none"},
		{"no script", "30 none\n"},
		{"too little", "30 none\necho half of a script\n"},
		{"no size", "\necho\n"},
		{"a size that is none", "x none\necho\n"},
	}
	inShells(t, func(t *testing.T, c container) {
		c.inputEnds = true
		for _, tt := range tests {
			got := c.run(t, User, EntryPoint{Shell: true}, strings.NewReader(tt.input))
			if got.code != 125 || got.stdout != "" || !strings.Contains(got.stderr, "podman-executor: error: the script did not arrive completely;") {
				t.Errorf("%s: got %+v", tt.name, got)
			}
		}
	})
}

// TestStubLargeScript: a script with all of a job's variables may be large.
func TestStubLargeScript(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		script := "#!/bin/sh\n" + strings.Repeat(": 'a variable of a job, and its value'\n", 1<<20/39) + "echo the end\n"
		want(t, c.runScript(t, script), result{stdout: "the end\n"})
	})
}

// TestStubStdin: what a script's commands read is empty; it is not the script, nor
// what podman may hold open.
func TestStubStdin(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		script := "#!/bin/sh\nread -r line || echo \"end of input: $line\"\ncat\n[ -c /dev/stdin ] && echo device\n"
		want(t, c.runScript(t, script), result{stdout: "end of input: \ndevice\n"})
	})
}

// TestStubBytes: a script is passed on byte by byte.
func TestStubBytes(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		script := "#!/bin/sh\ncat <<'EOF'\n  two  spaces \\n %s \xff\xfe\t$x `y`\r\nEOF\n"
		want(t, c.runScript(t, script), result{stdout: "  two  spaces \\n %s \xff\xfe\t$x `y`\r\n"})
	})
}

func TestStubUmask(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		for where, umask := range map[Where]string{Runner: "0000", User: "0022"} {
			for _, entry := range []EntryPoint{{Shell: true}, {Words: []string{"env"}, Shell: true}, {Words: []string{"env"}}} {
				want(t, c.run(t, where, entry, c.input(t, "#!/bin/sh\numask\n")), result{stdout: umask + "\n"})
			}
		}
	})
}

// TestStubOpensDirectories: only the runner's steps open the builds and the cache,
// and only they take other users' repositories for their own.
func TestStubOpensDirectories(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		const script = "#!/bin/sh\necho \"$GIT_CONFIG_PARAMETERS $GIT_CEILING_DIRECTORIES\"\n"
		mode := func() fs.FileMode {
			for _, dir := range []string{c.builds, c.cache} {
				info, err := os.Stat(dir)
				if err != nil {
					t.Fatal(err)
				}
				if info.Mode().Perm() != 0o777 {
					return info.Mode().Perm()
				}
			}
			return 0o777
		}
		want(t, c.run(t, User, EntryPoint{Shell: true}, c.input(t, script)), result{stdout: " \n"})
		if mode() == 0o777 {
			t.Error("a step of the user has opened a directory")
		}
		want(t, c.run(t, Runner, EntryPoint{Shell: true}, c.input(t, script)), result{stdout: "'safe.directory=*' 'core.fsmonitor=false' " + c.builds + "/token/0/group\n"})
		if m := mode(); m != 0o777 {
			t.Errorf("a step of the runner has left a directory with mode %v", m)
		}
	})
}

// TestStubProfile: the shell reads no profile, as with the docker executor.
func TestStubProfile(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		for _, name := range []string{".bash_profile", ".profile", ".bashrc"} {
			if err := os.WriteFile(filepath.Join(c.home, name), []byte("umask 027; cd /; echo read; exit 3\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, entry := range []EntryPoint{{Shell: true}, {Words: []string{"env"}, Shell: true}, {Words: []string{"sh"}}} {
			want(t, c.run(t, User, entry, c.input(t, "#!/bin/sh\numask; pwd\n")), result{stdout: "0022\n" + c.home + "\n"})
		}
	})
}

// TestStubUmaskOfProfile: a profile that sets the umask, as Fedora's does, does not
// take the runner's steps theirs. The user's own steps have the profile's.
func TestStubUmaskOfProfile(t *testing.T) {
	c := newContainer(t, "sh", true)
	if err := os.WriteFile(filepath.Join(c.home, ".bash_profile"), []byte("umask 027\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\numask\n"
	want(t, c.run(t, Runner, EntryPoint{Shell: true, Login: true}, c.input(t, script)), result{stdout: "0000\n"})
	want(t, c.run(t, User, EntryPoint{Shell: true, Login: true}, c.input(t, script)), result{stdout: "0027\n"})
}

// TestStubPath: a login shell's profile replaces the PATH of the image; the
// image's stays in front, and what the profile adds is behind.
func TestStubPath(t *testing.T) {
	c := newContainer(t, "sh", true)
	profile := filepath.Join(c.home, ".bash_profile")
	run := func(script string) result {
		return c.run(t, User, EntryPoint{Shell: true, Login: true}, c.input(t, script))
	}
	for text, path := range map[string]string{
		"PATH=/profile/bin\n":            c.path + ":/profile/bin\n",
		"PATH=" + c.path + "\n":          c.path + "\n",
		"GREETING=hello; PATH=/a:/b":     c.path + ":/a:/b\n",
		"PATH=/a::/b:" + c.path + ":/a:": c.path + ":/a:/b\n",
	} {
		if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		want(t, run("#!/bin/sh\necho \"$PATH\"\n"), result{stdout: path})
	}
	// It is a login shell: what the profile exports is there.
	if err := os.WriteFile(profile, []byte("export GREETING=hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, run("#!/bin/sh\necho \"$GREETING\"\n"), result{stdout: "hello\n"})
}

// swallowed is what the stub says of an entry point that does not run the script.
const (
	swallowed = "podman-executor: error: the entry point" + withoutScript
	// swallowedByProfile is what it says with a login shell.
	swallowedByProfile = "podman-executor: error: the entry point, or the profile of the login shell," + withoutScript
	withoutScript      = " ended without running the script\n" + `podman-executor: hint: an entry point has to run its arguments, as ["/bin/sh", "-c", "setup && exec \"$0\" \"$@\""] does: change image:entrypoint in .gitlab-ci.yml, or the policy` + "\n"
)

// TestStubFile: with the policy's own entry point the last word is the script,
// which can be executed.
func TestStubFile(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		const script = "#!/bin/sh\necho \"script $*\"\nexit 4\n"
		want(t, c.run(t, User, EntryPoint{}, c.input(t, script)), result{"script \n", "", 4})
		want(t, c.run(t, User, EntryPoint{Words: []string{"sh"}}, c.input(t, script)), result{"script \n", "", 4})
		wrapper := EntryPoint{Words: []string{"sh", "-c", `"$1" from wrapper`, "wrapper"}}
		want(t, c.run(t, User, wrapper, c.input(t, script)), result{"script from wrapper\n", "", 4})
	})
}

// TestStubNoDirectory: where the script cannot be saved, nothing runs.
func TestStubNoDirectory(t *testing.T) {
	inShells(t, func(t *testing.T, c container) {
		script := c.input(t, "#!/bin/sh\necho ran\n")
		c.dir += "/missing"
		if got := c.run(t, User, EntryPoint{Shell: true}, script); got.code != 125 || got.stdout != "" {
			t.Errorf("got %+v", got)
		}
	})
}
