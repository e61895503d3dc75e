package handover

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"podman-executor/internal/shell/shelltest"
	"podman-executor/internal/step"
)

// inShells runs a test beside a container's loop in each shell that images have.
func inShells(t *testing.T, test func(*testing.T, loop)) {
	t.Helper()
	for _, shell := range []string{"sh", "dash", "bash", "busybox"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			test(t, startLoop(t, shell))
		})
	}
}

// loop is the process of a container that stays, in PID and mount namespaces of its
// own, as its first process, with the pipes read-only.
type loop struct {
	t *testing.T
	// dir is the directory of pipes, home what the loop may write to.
	dir, home string
	process   *exec.Cmd
	ended     chan struct{}
}

func startLoop(t *testing.T, shell string) loop {
	t.Helper()
	return startLoopIn(t, shell, []string{"--user", "--map-root-user"}, "")
}

// environment is what an image could have beside PATH and HOME: variables with the names of the
// loop's own, and of the stub's.
var environment = func() (env []string) {
	for _, name := range shelltest.Variables(Command(step.User, step.EntryPoint{}, step.Sources{})[1]) {
		env = append(env, name+"=the image's "+name)
	}
	return env
}()

// startLoopIn starts a loop in further namespaces, when a shell has done something.
func startLoopIn(t *testing.T, shell string, namespaces []string, first string) loop {
	t.Helper()
	program, err := exec.LookPath(shell)
	if err != nil {
		t.Skipf("no %s on this machine", shell)
	}
	argv := []string{program}
	if shell == "busybox" {
		argv = append(argv, "sh")
	}
	l := loop{t: t, dir: filepath.Join(t.TempDir(), "pipes"), home: t.TempDir(), ended: make(chan struct{})}
	if err := Make(l.dir); err != nil {
		t.Fatal(err)
	}
	argv = append(argv, Command(step.Runner, step.EntryPoint{Shell: true}, step.Sources{Root: l.home, Project: l.home + "/project"}, l.home)...)
	mount := `mount -t proc proc /proc && mount -t tmpfs tmpfs /run && mkdir -m 1777 ` + step.Dir + ` && mkdir ` + step.Private + ` ` + Pipes + ` &&
		mount --bind "$1" ` + Pipes + ` && mount -o remount,bind,ro ` + Pipes + ` && shift && ` + first + ` exec "$@"`
	unshare := append(namespaces, "--pid", "--mount", "--fork", "--kill-child", "sh", "-c", mount, "sh", l.dir)
	l.process = exec.Command("unshare", append(unshare, argv...)...)
	l.process.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.home}, environment...)
	l.process.Stderr = os.Stderr
	if err := l.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(l.ended); _ = l.process.Wait() }()
	t.Cleanup(func() { l.kill(); <-l.ended })
	return l
}

func (l loop) kill() { _ = l.process.Process.Kill() }

// run hands a script over, when the loop is up.
func (l loop) run(ctx context.Context, script string) (stdout, stderr string, code int, err error) {
	l.t.Helper()
	var o, e bytes.Buffer
	s := Step{Stdin: step.Input([]byte("#!/bin/sh\n"+script), step.CleanNothing), Stdout: &o, Stderr: &e, Grace: time.Minute, Kill: l.kill}
	for err = ErrNobody; errors.Is(err, ErrNobody); {
		code, err = Run(ctx, l.dir, s)
		if exited(l.ended) {
			break
		}
	}
	return o.String(), e.String(), code, err
}

func exited(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

func TestSteps(t *testing.T) {
	inShells(t, func(t *testing.T, l loop) {
		for _, tt := range []struct {
			script, stdout, stderr string
			code                   int
		}{
			{"echo out; echo err >&2", "out\n", "err\n", 0},
			{"printf 'no line end'; exit 42", "no line end", "", 42},
			{"exit 255", "", "", 255},
			{"cat; echo end", "end\n", "", 0}, // its own input is empty
			{"umask", "0000\n", "", 0},
			{"kill -s KILL $$", "", "", 137},
		} {
			stdout, stderr, code, err := l.run(t.Context(), tt.script)
			if tt.stdout != "" && stdout != tt.stdout || tt.stderr != "" && stderr != tt.stderr || code != tt.code || err != nil {
				t.Errorf("%q: %q, %q, %d, %v", tt.script, stdout, stderr, code, err)
			}
		}
		if left, err := filepath.Glob(filepath.Join(l.dir, "step-*")); len(left) > 0 || err != nil {
			t.Errorf("left: %q, %v", left, err)
		}
		if err := Dismiss(l.dir); err != nil {
			t.Fatal(err)
		}
		<-l.ended
		if code := l.process.ProcessState.ExitCode(); code != 0 {
			t.Errorf("dismissed, it ends with %d", code)
		}
		if _, err := Run(t.Context(), l.dir, Step{}); !errors.Is(err, ErrNobody) {
			t.Errorf("to nobody: %v", err)
		}
		if err := Dismiss(l.dir); err != nil {
			t.Errorf("nobody is dismissed: %v", err)
		}
	})
}

// TestEnvironmentOfSteps: the environment of each step is the container's.
func TestEnvironmentOfSteps(t *testing.T) {
	if !slices.Contains(environment, "name=the image's name") || !slices.Contains(environment, "size=the image's size") {
		t.Errorf("the names in the loop and the stub are wrong: %q", environment)
	}
	inShells(t, func(t *testing.T, l loop) {
		for range 2 {
			stdout, stderr, code, err := l.run(t.Context(), "env")
			if code != 0 || err != nil {
				t.Fatalf("%d, %v: %s", code, err, stderr)
			}
			var got []string
			for line := range strings.Lines(stdout) {
				name, _, _ := strings.Cut(line, "=")
				if !strings.HasPrefix(name, "GIT_") && !slices.Contains([]string{"PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_"}, name) {
					got = append(got, strings.TrimSuffix(line, "\n"))
				}
			}
			slices.Sort(got)
			if want := slices.Sorted(slices.Values(environment)); !slices.Equal(got, want) {
				t.Errorf("the script's environment is %q, want %q", got, want)
			}
		}
	})
}

// A script and an output that are larger than a pipe, both ways.
func TestLargeStep(t *testing.T) {
	inShells(t, func(t *testing.T, l loop) {
		line := strings.Repeat("x", 99)
		stdout, _, code, err := l.run(t.Context(), strings.Repeat("echo "+line+"\n", 3000)+"exit 7\n")
		if want := strings.Repeat(line+"\n", 3000); stdout != want || code != 7 || err != nil {
			t.Errorf("%d bytes, want %d; %d, %v", len(stdout), len(want), code, err)
		}
	})
}

// Processes that a step leaves behind are dead when the next step begins, and delay nothing,
// even if they have left the step's session and its streams.
func TestLeftBehind(t *testing.T) {
	inShells(t, func(t *testing.T, l loop) {
		ready := filepath.Join(l.home, "ready")
		stdout, _, code, err := l.run(t.Context(), "(trap '' TERM HUP; : >"+ready+"; sleep 1000; sleep 1000) & until [ -e "+ready+" ]; do :; done\nsetsid sh -c 'exec >/dev/null 2>&1; sleep 1000; :' &\necho done")
		if stdout != "done\n" || code != 0 || err != nil {
			t.Fatalf("%q, %d, %v", stdout, code, err)
		}
		if exited(l.ended) {
			t.Fatal("the container has ended")
		}
		stdout, _, _, err = l.run(t.Context(), "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
		if err != nil || stdout == "" || strings.Contains(stdout, "sleep") {
			t.Errorf("there is still %q, %v", stdout, err)
		}
	})
}

// A process that the container's user cannot kill ends with the container.
func TestUnkillable(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	l := startLoopIn(t, "sh", nil, "{ sleep 4242 & } && set -- setpriv --reuid 1000 --clear-groups \"$@\" &&")
	if stdout, _, code, err := l.run(t.Context(), "echo done; exit 4"); stdout != "done\n" || code != 4 || err != nil {
		t.Errorf("%q, %d, %v", stdout, code, err)
	}
	if _, err := find(l.dir); !errors.Is(err, ErrNobody) {
		t.Errorf("a container that ends takes another step: %v", err)
	}
	<-l.ended
}

// A step may forge its own status in the pipe, but an invalid one is an error.
func TestForgedStatus(t *testing.T) {
	l := startLoop(t, "sh")
	for forged, want := range map[string]string{"": `invalid exit status of a step: "\n"`, "256": `step: "256\n"`, "-1": `step: "-1\n"`, "0000000000000000000001": `step: "0000000000000000"`} {
		_, _, code, err := l.run(t.Context(), "echo "+forged+" 1<>$(echo "+Pipes+"/step-*/status); sleep 1000")
		if err == nil || code != 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %d, %v", forged, code, err)
		}
		// The loop has that step still, and ends with its container.
		l.kill()
		<-l.ended
		l = startLoop(t, "sh")
	}
}

// The container cannot put anything in the place of the pipes; and what is not a named pipe is
// not opened, whoever has put it there.
func TestNoPipes(t *testing.T) {
	l := startLoop(t, "sh")
	stdout, _, _, err := l.run(t.Context(), "cd "+Pipes+"; rm -f next; ln -s /etc/passwd link; mkfifo x; mv step-* y; ls")
	if err != nil || strings.Contains(stdout, "link") || !strings.Contains(stdout, "next") || strings.Contains(stdout, "x\n") || strings.Contains(stdout, "y\n") {
		t.Errorf("the directory of pipes has %q, %v", stdout, err)
	}
	for name, put := range map[string]func(string) error{
		"link":    func(name string) error { return os.Symlink(filepath.Join(l.dir, alive), name) },
		"file":    func(name string) error { return os.WriteFile(name, nil, 0o600) },
		"missing": func(string) error { return nil },
	} {
		dir := t.TempDir()
		if err := put(filepath.Join(dir, next)); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(t.Context(), dir, Step{}); err == nil || errors.Is(err, ErrNobody) || !strings.HasPrefix(err.Error(), "opening a pipe: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever the umask, every user of a container can open the pipes.
func TestModes(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "pipes")
	if err := Make(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"": os.ModeDir | 0o755, next: os.ModeNamedPipe | 0o666, alive: os.ModeNamedPipe | 0o666} {
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
			t.Errorf("%q: %v, %v", name, info.Mode(), err)
		}
	}
	if err := Make(dir); err == nil || !errors.Is(err, os.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
}

// Another user in a container that is root's reads no script, and reaches no pipe but those
// that a process of root's has given him; nor has he put anything where the next step writes.
func TestOtherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	const nobody = "exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'cd " + step.Dir + `; exec 2>/dev/null
ls . private; for f in script script.ps1 private/steps/step-*/in; do [ -r $f ] && echo READ $f; done
for f in script script.ps1 start login started new private/steps/next private/steps/step-*/status; do echo 0 >$f && echo WROTE $f; ln -s /etc/passwd $f && echo LINKED $f; done
echo tried >/dev/stdout'`
	for _, shell := range []string{"sh", "dash", "bash", "busybox"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			l := startLoopIn(t, shell, nil, "")
			for range 2 {
				if stdout, _, code, err := l.run(t.Context(), "("+nobody+")\nexit 9"); stdout != "tried\n" || code != 9 || err != nil {
					t.Errorf("%q, %d, %v", stdout, code, err)
				}
			}
		})
	}
}
