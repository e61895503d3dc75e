package launch

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"podman-executor/internal/shell/shelltest"
	"podman-executor/internal/step"
)

// container stands in for a launched container: a shell of this machine, with or without a
// bash beside it, and a directory in place of the tmpfs.
type container struct {
	shell []string
	path  string
	dir   string
	// env is the image's environment, but for PATH and HOME.
	env []string
}

// inContainers runs a test in each shell that images have.
func inContainers(t *testing.T, test func(*testing.T, container)) {
	t.Helper()
	// id: /etc/profile of this machine calls it.
	programs := []string{"cat", "chmod", "echo", "env", "head", "id", "rm", "sh", "wc"}
	for _, shell := range []string{"sh", "dash", "bash", "busybox"} {
		for name, all := range map[string][]string{"with": append([]string{"bash"}, programs...), "without": programs} {
			t.Run(shell+" "+name+" bash", func(t *testing.T) {
				t.Parallel()
				c := container{path: t.TempDir(), dir: t.TempDir()}
				for _, program := range append([]string{shell}, all...) {
					real, err := exec.LookPath(program)
					if err != nil {
						t.Skipf("no %s on this machine", program)
					}
					if c.shell == nil {
						c.shell = []string{real}
					} else if err := os.Symlink(real, filepath.Join(c.path, program)); err != nil {
						t.Fatal(err)
					}
				}
				if shell == "busybox" {
					c.shell = append(c.shell, "sh")
				}
				test(t, c)
			})
		}
	}
}

// ended is what a container wrote, and its exit code.
type ended struct {
	stdout, stderr string
	code           int
}

// run runs the command of [Command] with that input, which ends with it if inputEnds.
func (c container) run(t *testing.T, entry step.EntryPoint, input string, inputEnds bool) ended {
	t.Helper()
	stdin, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	args := c.shell[1:]
	for _, word := range Command(entry, time.Second) {
		args = append(args, strings.ReplaceAll(word, step.Dir, c.dir))
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(c.shell[0], args...)
	cmd.Env, cmd.Dir = append([]string{"PATH=" + c.path, "HOME=" + c.dir}, c.env...), c.dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = stdin.Close()
	_, _ = io.WriteString(feed, input)
	if inputEnds {
		_ = feed.Close()
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ended{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// input is what the container gets for a script: the size in it is of the text with the
// directory in place of the tmpfs.
func (c container) input(t *testing.T, script string) string {
	t.Helper()
	text, err := io.ReadAll(step.Input([]byte(script), step.CleanNothing))
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(text), "\n")
	_, kind, _ := strings.Cut(head, " ")
	body = strings.ReplaceAll(body, step.Dir, c.dir)
	return strconv.Itoa(len(body)) + " " + kind + "\n" + body
}

// A launched container also reports the script's exit code in a file.
func TestLaunched(t *testing.T) {
	inContainers(t, func(t *testing.T, c container) {
		report := filepath.Join(c.dir, "private", "report")
		if err := os.MkdirAll(report, 0o700); err != nil {
			t.Fatal(err)
		}
		entries := []step.EntryPoint{{Shell: true}, {Words: []string{"env", "-u", "X"}, Shell: true}, {Words: []string{"sh"}}}
		for _, entry := range entries {
			for _, code := range []int{0, 1, 42, 125, 137, 255} {
				_ = os.Remove(filepath.Join(c.dir, "started"))
				got := c.run(t, entry, c.input(t, "#!/bin/sh\necho hello\nexit "+strconv.Itoa(code)+"\n"), false)
				if want := (ended{stdout: "hello\n", code: code}); got != want {
					t.Errorf("%v: got %+v, want %+v", entry, got, want)
				}
				status, err := os.ReadFile(filepath.Join(report, statusFile))
				_, startedErr := os.Stat(filepath.Join(report, startedFile))
				if err != nil || string(status) != strconv.Itoa(code)+"\n" || startedErr != nil {
					t.Errorf("%v: it has reported %q, %v, %v, want %d", entry, status, err, startedErr, code)
				}
				_ = os.Remove(filepath.Join(report, statusFile))
			}
		}
		// What did not arrive whole.
		if got := c.run(t, step.EntryPoint{Shell: true}, "30 none\n", true); got.code != 125 || got.stderr == "" {
			t.Errorf("half a script: %+v", got)
		}
		// A container that cannot report does not run.
		if err := os.RemoveAll(report); err != nil {
			t.Fatal(err)
		}
		if got := c.run(t, step.EntryPoint{Shell: true}, c.input(t, "#!/bin/sh\necho ran\n"), true); got.code != 125 || got.stdout != "" {
			t.Errorf("without a directory: %+v", got)
		}
	})
}

// TestEnvironment: the environment of the script is the container's.
func TestEnvironment(t *testing.T) {
	inContainers(t, func(t *testing.T, c container) {
		if err := os.MkdirAll(filepath.Join(c.dir, "private", "report"), 0o700); err != nil {
			t.Fatal(err)
		}
		c.env = []string{"report=the image's", "stub=the image's", "status=the image's"}
		for _, name := range shelltest.Variables(Command(step.EntryPoint{}, time.Second)[1]) {
			c.env = append(c.env, name+"=the image's")
		}
		got := c.run(t, step.EntryPoint{Shell: true}, c.input(t, "#!/bin/sh\nenv\n"), false)
		for _, variable := range c.env {
			if !strings.Contains("\n"+got.stdout, "\n"+variable+"\n") {
				t.Errorf("the script's environment lacks %s: %+v", variable, got)
			}
		}
	})
}

// The stub of a launched container kills a script that does not stop.
func TestCommand(t *testing.T) {
	entry := step.EntryPoint{Words: []string{"a b", "-c"}}
	got := Command(entry, 4*time.Second)
	want := step.Outer{Program: launchedProgram}.Command(step.User, entry, step.Sources{})
	program := want[1]
	want[1] = strings.Replace(program, "kill -s TERM -- -1;", "kill -s TERM -- -1; sleep 4; kill -s KILL -- -1;", 1)
	if want[1] == program {
		t.Error("the stub tells nobody to stop")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"file", "0", "a b", "-c"}, got[3:]); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}
