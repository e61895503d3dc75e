package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script returns a shell script to be run in the returned directory.
func script(ctx context.Context, t *testing.T, text string) (cmd *exec.Cmd, dir string) {
	t.Helper()
	cmd = exec.CommandContext(ctx, "/bin/sh", "-c", text)
	cmd.Dir, cmd.Env = t.TempDir(), []string{"PATH=/usr/bin:/bin"}
	return cmd, cmd.Dir
}

// read waits until a script has written a line to a file, and returns it.
func read(t *testing.T, dir, name string) string {
	t.Helper()
	for range 10_000 {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err == nil && bytes.HasSuffix(text, []byte("\n")) {
			return strings.TrimSpace(string(text))
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("there is no %s", name)
	return ""
}

// waitGone waits for the end of the process whose id is in a file.
func waitGone(t *testing.T, dir, name string) {
	t.Helper()
	pid := read(t, dir, name)
	for range 10_000 {
		text, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(text), ") Z ") {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("process %s still runs", pid)
}

// killLater ends the process whose id is in a file when the test is over.
func killLater(t *testing.T, dir, name string) {
	t.Helper()
	pid, err := strconv.Atoi(read(t, dir, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
}

func TestOwnGroup(t *testing.T) {
	cmd, _ := script(t.Context(), t, `echo $$ $(cut -d" " -f5 /proc/$$/stat)`)
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := Run(cmd); err != nil {
		t.Fatal(err)
	}
	if words := strings.Fields(out.String()); len(words) != 2 || words[0] != words[1] {
		t.Errorf("process and group are %q", words)
	}
	if cmd.SysProcAttr.Pdeathsig != syscall.SIGTERM || cmd.WaitDelay != WaitDelay {
		t.Errorf("got %+v, %v", cmd.SysProcAttr, cmd.WaitDelay)
	}
	other := &exec.Cmd{WaitDelay: time.Hour}
	if OwnGroup(other); other.WaitDelay != time.Hour {
		t.Errorf("the caller's WaitDelay became %v", other.WaitDelay)
	}
}

// TestRunTerminates: a program may tidy up, and its exit code is that of its own handler.
func TestRunTerminates(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cmd, dir := script(ctx, t, `trap 'echo x >tidied; exit 3' TERM; echo x >ready; while :; do sleep 0.01; done`)
	go func() {
		defer cancel()
		read(t, dir, "ready")
	}()
	err := Run(cmd)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("got %v", err)
	}
	read(t, dir, "tidied")
}

// TestRunKillsGroup: what does not end at SIGTERM is killed, with what it has started.
func TestRunKillsGroup(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cmd, dir := script(ctx, t, `trap '' TERM; sleep 1000 & echo $! >child; echo x >ready; wait`)
	cmd.Stdout = &bytes.Buffer{}
	started := time.Now()
	go func() {
		defer cancel()
		read(t, dir, "ready")
	}()
	err := Run(cmd)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Errorf("got %v, want the end by a signal", err)
	}
	if took := time.Since(started); took < Grace {
		t.Errorf("it was killed after %v", took)
	}
	waitGone(t, dir, "child")
}

// TestHeldPipe: a process that has left the group and holds the pipe open is not waited
// for, and does not turn the program's success into an error.
func TestHeldPipe(t *testing.T) {
	const text = `setsid sleep 1000 & echo $! >child; echo out`
	run := func(cmd *exec.Cmd) error { return Run(cmd) }
	start := func(cmd *exec.Cmd) error {
		g, err := Start(cmd)
		if err != nil {
			return err
		}
		return g.Wait(t.Context())
	}
	for name, how := range map[string]func(*exec.Cmd) error{"Run": run, "Start": start} {
		t.Run(name, func(t *testing.T) {
			cmd, dir := script(t.Context(), t, text)
			var out bytes.Buffer
			cmd.Stdout, cmd.WaitDelay = &out, 50*time.Millisecond
			if err := how(cmd); err != nil || out.String() != "out\n" {
				t.Errorf("got %q, %v", out.String(), err)
			}
			killLater(t, dir, "child")
		})
	}
}

// TestWait: the steps are taken one after the other, until the program has ended.
func TestWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cmd, dir := script(t.Context(), t, `trap 'echo x >told' TERM; sleep 1000 & echo $! >child; echo x >ready; while :; do wait; done`)
	g, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	read(t, dir, "ready")
	var taken []string
	step := func(name string, do func()) Stop {
		return Stop{After: time.Millisecond, Do: func() { taken = append(taken, name); do() }}
	}
	cancel()
	err = g.Wait(ctx,
		step("nothing", func() {}),
		step("SIGTERM", func() { g.Terminate(); read(t, dir, "told") }),
		step("SIGKILL", func() { g.Kill(); <-g.Ended() }),
		step("too late", func() {}))
	var exit *exec.ExitError
	if !errors.As(err, &exit) || strings.Join(taken, " ") != "nothing SIGTERM SIGKILL" {
		t.Errorf("got %v after %q", err, taken)
	}
	waitGone(t, dir, "child")
}

// TestWaitForTheEnd: a program that ends by itself is not told to, and no step is waited for.
func TestWaitForTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, cancelled := range []bool{false, true} {
		cmd, dir := script(t.Context(), t, `sleep 1000 & echo $! >child; exit 7`)
		g, err := Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		if cancelled {
			cancel()
		}
		err = g.Wait(ctx, Stop{After: time.Hour, Do: func() { t.Error("a step was taken") }})
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Errorf("got %v", err)
		}
		// What is left of the group can still be killed.
		g.Kill()
		waitGone(t, dir, "child")
	}
}

func TestStartNoProgram(t *testing.T) {
	if g, err := Start(exec.Command("/nonexistent/program")); g != nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, %v", g, err)
	}
}
