package podman

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"podman-executor/internal/fakepodman"
)

// TestMain makes the test binary a podman when it is called as one: which tells
// the variable that says what it does.
func TestMain(m *testing.M) {
	if act := os.Getenv("FAKE_PODMAN"); act != "" {
		// Not os.Exit: with the race detector it takes a second.
		syscall.Exit(fakePodman(act, os.Getenv("FAKE_DIR"), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// fake returns a podman that does one of the things that fakePodman knows, and
// the directory where it writes its calls.
func fake(t *testing.T, act string) (*Podman, string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return &Podman{Program: program, Env: []string{"FAKE_PODMAN=" + act, "FAKE_DIR=" + dir}}, dir
}

func fakePodman(act, dir string, args []string) int {
	verb := args[0]
	record(dir, verb)
	switch act {
	case "environment":
		wd, _ := os.Getwd()
		stdin, _ := io.ReadAll(os.Stdin)
		seen := fmt.Sprintf("%s\n%s\n%q\n%d\n%q\n", os.Environ(), wd, stdin, syscall.Getpgrp()-os.Getpid(), args)
		fmt.Print(seen)
		_ = os.WriteFile(filepath.Join(dir, "environment"), []byte(seen), 0o600)
		return 0
	case "fails":
		fmt.Println("some")
		fmt.Fprintln(os.Stderr, "time=\"now\" level=warning msg=\"not found\"\nError: this\nError: that")
		return 125
	case "floods":
		_, _ = os.Stdout.Write(make([]byte, maxOutput+1))
		return 0
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "waits":
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		record(dir, "ready")
		<-stop
		return 3
	case "stubborn":
		return stubborn(dir)
	case "locked":
		return locked(dir)
	case "ignores stdin":
		return 7
	case "reads stdin":
		_, _ = io.CopyN(os.Stdout, os.Stdin, megabyte)
		return readsOn()
	case "answers":
		return answer(dir, args)
	case "ends at EOF", "ends at KILL", "late", "hangs":
		return container(act, dir, verb)
	}
	return 99
}

// answer prints the file of the first two words' name, "image-pull", or of the
// first one's, and ends with the number in NAME.exit.
func answer(dir string, args []string) int {
	code := 0
	for _, name := range []string{args[0], strings.Join(args[:min(2, len(args))], "-")} {
		for suffix, out := range map[string]io.Writer{"": os.Stdout, ".stderr": os.Stderr} {
			text, _ := os.ReadFile(filepath.Join(dir, name+suffix))
			said := string(text)
			if suffix == "" {
				var err error
				if said, err = fakepodman.Render(args, said); err != nil {
					fmt.Fprintln(os.Stderr, "Error:", err)
					code = ExitPodman
				}
			}
			_, _ = io.WriteString(out, said)
		}
		text, _ := os.ReadFile(filepath.Join(dir, name+".exit"))
		_, _ = fmt.Sscan(string(text), &code)
	}
	return code
}

// stubborn does not end at SIGTERM, nor does what it has started.
func stubborn(dir string) int {
	signal.Ignore(syscall.SIGTERM)
	child := exec.Command("/bin/sleep", "1000")
	child.Stdout = os.Stdout
	if err := child.Start(); err != nil {
		panic(err)
	}
	record(dir, fmt.Sprint(child.Process.Pid))
	_ = child.Wait()
	return 0
}

// locked finds its database locked until its third call.
func locked(dir string) int {
	text, _ := os.ReadFile(filepath.Join(dir, "log"))
	if strings.Count(string(text), "\n") < 3 && !recorded(dir, "free") {
		fmt.Fprintln(os.Stderr, "Error: beginning transaction: database is locked")
		return ExitPodman
	}
	return 0
}

const megabyte = 1 << 20

// readsOn also ends with 9 when the input ends. On a machine that is too slow to
// end it in that time nothing is found wrong.
func readsOn() int {
	ended := make(chan struct{})
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		close(ended)
	}()
	select {
	case <-ended:
		return 9
	case <-time.After(200 * time.Millisecond):
		return 0
	}
}

// container is a podman with one container, which ends with its input, or when
// it is killed, or when it is killed for the second time, or never.
func container(act, dir, verb string) int {
	switch {
	case verb == "start" && act == "ends at EOF":
		_, _ = io.Copy(io.Discard, os.Stdin)
		record(dir, "end-of-input")
		return 143
	case verb == "start":
		for !recorded(dir, "ended") {
			time.Sleep(time.Millisecond)
		}
		return 137
	case verb == "kill" && act == "late" && !recorded(dir, "refused"):
		record(dir, "refused")
		return 125
	case verb == "kill" && act != "hangs":
		record(dir, "ended")
	}
	return 0
}

func record(dir, word string) {
	f, err := os.OpenFile(filepath.Join(dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fprintln(f, word)
}

func recorded(dir, word string) bool {
	text, _ := os.ReadFile(filepath.Join(dir, "log"))
	return strings.Contains("\n"+string(text), "\n"+word+"\n")
}

// calls returns what was recorded, in one line.
func calls(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

func waitFor(dir, word string) {
	for !recorded(dir, word) {
		time.Sleep(time.Millisecond)
	}
}

// answers returns a podman that answers with those files, and its calls so far.
func answers(t *testing.T, files map[string]string) (*Podman, func() string) {
	t.Helper()
	p, dir := fake(t, "answers")
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	p.Observe = func(c Command) {
		args := slices.Clone(c.Args)
		for i, arg := range args {
			if len(arg) > 80 && strings.Contains(arg, "{{") {
				args[i] = "TEMPLATE"
			}
		}
		lines = append(lines, strings.Join(args, " "))
	}
	return p, func() string { return strings.Join(lines, "\n") }
}
