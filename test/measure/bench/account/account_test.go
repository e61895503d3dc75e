package account

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The test binary is what follows, too: Follow needs a process of its own.
func TestMain(m *testing.M) {
	if file := os.Getenv("ACCOUNT_TEST_FILE"); file != "" {
		status, err := Follow(os.Args[1:], file, os.Getenv("ACCOUNT_TEST_SCRIPTS") == "true")
		if err != nil {
			panic(err)
		}
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// fakePrograms makes shells with the names of real programs: what is told apart by
// name is so here, too. They find the scripts beside them: `podman start` runs the
// script start, and `. spin` needs CPU time.
func fakePrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	shell, err := os.ReadFile("/bin/dash")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"podman": string(shell), "conmon": string(shell), "podman-executor-run": string(shell),
		"spin":    "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done",
		"start":   "podman again; conmon -c :",
		"again":   "",
		"network": "",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func follow(t *testing.T, scripts, script string) (a Account, output string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "account")
	cmd := exec.Command(self, "/bin/sh", "-c", script+"\necho done; read -r _")
	dir := fakePrograms(t)
	cmd.Dir = dir
	cmd.Env = []string{"ACCOUNT_TEST_FILE=" + file, "ACCOUNT_TEST_SCRIPTS=" + scripts, "PATH=" + dir + ":/usr/bin:/bin"}
	var text strings.Builder
	cmd.Stderr = &text
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	buffer := make([]byte, 100)
	if _, err := stdout.Read(buffer); err != nil {
		t.Fatal(err, text.String())
	}
	if a, err = Ask(ctx, cmd.Process.Pid, file); err != nil {
		t.Fatal(err)
	}
	_ = stdin.Close()
	err = cmd.Wait()
	if err == nil || cmd.ProcessState.ExitCode() != 1 { // of read, at the end of its input
		t.Errorf("the follower ended with %v, want the command's exit status 1\n%s", err, text.String())
	}
	return a, text.String()
}

// heavy are the parts that have used most of the time: spin needs far more than the programs around it, also
// where all of them are slow.
func heavy(a Account) (parts []Part) {
	var all int64
	for _, part := range Parts {
		all += a.CPU[part]
	}
	for _, part := range Parts {
		if a.CPU[part] > all/3 {
			parts = append(parts, part)
		}
	}
	return parts
}

func TestCPUTimeGoesToTheParts(t *testing.T) {
	for _, test := range []struct {
		name, scripts, script string
		want                  []Part
	}{
		{"the runner itself", "false", ". spin", []Part{Runner}},
		{"a fork of the runner", "false", "( . spin )", []Part{Runner}},
		{"a script of a custom executor", "true", "dash -c '. spin'", []Part{Driver}},
		{"the job of the shell executor", "false", "dash -c '. spin'", []Part{Job}},
		{"a program of the driver", "false", "podman-executor-run -c '. spin'", []Part{Driver}},
		{"a step on the host", "false", `podman-executor-run -c "dash -c '. spin'; :"`, []Part{Job}},
		{"podman of the driver", "false", `podman-executor-run -c "podman -c '. spin'; :"`, []Part{Podman}},
		{"podman of a script", "true", `dash -c "podman -c '. spin'; :"`, []Part{Podman}},
		{"what podman has left behind", "false", `podman -c "(conmon -c '. spin; : >spun') &"; until test -e spun; do sleep 0.05; done`, []Part{Podman}},
		{"a container", "false", `podman -c "unshare --user --map-root-user --pid --fork dash -c '. spin'"`, []Part{Job}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, output := follow(t, test.scripts, test.script)
			if diff := cmp.Diff(test.want, heavy(a)); diff != "" {
				t.Errorf("the parts that used much time (-want +got):\n%s\nof %v\n%s", diff, a.CPU, output)
			}
		})
	}
}

func TestCommandsAndPrograms(t *testing.T) {
	t.Parallel()
	a, output := follow(t, "false", `
		podman-executor-run -c "podman start --attach name; podman network create; :"
		podman-executor-run -c "podman start name; :"`)
	want := map[string]int{"podman-executor-run: podman start": 2, "podman-executor-run: podman network create": 1}
	if diff := cmp.Diff(want, a.Commands); diff != "" {
		t.Errorf("commands of podman (-want +got):\n%s\n%s", diff, output)
	}
	delete(a.Executed, "dash")
	delete(a.Executed, "sh")
	if diff := cmp.Diff(map[string]int{"podman-executor-run": 2, "podman": 5, "conmon": 2}, a.Executed); diff != "" {
		t.Errorf("programs (-want +got):\n%s\n%s", diff, output)
	}
	if peak := a.PeakOfAll(); peak < 100<<10 || peak > 50<<20 {
		t.Errorf("the peak is %d bytes, which is not a shell's", peak)
	}
}
