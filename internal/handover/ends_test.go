package handover

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podman-executor/internal/step"
)

// Each step is told to stop separately, by the end of its input.
func TestStoppedStep(t *testing.T) {
	inShells(t, func(t *testing.T, l loop) {
		ctx, cancel := context.WithCancel(t.Context())
		file := filepath.Join(l.home, "trapped")
		go func() {
			for {
				if _, err := os.Stat(file + ".ready"); err == nil {
					cancel()
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		_, _, _, err := l.run(ctx, "trap 'echo term >"+file+"; exit 1' TERM; : >"+file+".ready; sleep 1000 & wait")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with %v", err)
		}
		if text, err := os.ReadFile(file); string(text) != "term\n" {
			t.Errorf("the script has got no word to stop: %q, %v", text, err)
		}
		if stdout, _, code, err := l.run(t.Context(), "echo next"); stdout != "next\n" || code != 0 || err != nil {
			t.Errorf("the next step: %q, %d, %v", stdout, code, err)
		}
	})
}

// A step that does not listen is killed with its container.
func TestStubbornStep(t *testing.T) {
	l := startLoop(t, "sh")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	reader, writer := io.Pipe()
	go func() {
		_, _ = io.CopyN(&out, reader, int64(len("ready\n")))
		cancel()
		_, _ = io.Copy(&out, reader)
	}()
	if _, _, _, err := l.run(t.Context(), ":"); err != nil {
		t.Fatal(err)
	}
	s := Step{Stdin: step.Input([]byte("#!/bin/sh\ntrap '' TERM; echo ready; while :; do sleep 0.1; done\n"), step.CleanNothing), Stdout: writer, Stderr: io.Discard, Grace: 50 * time.Millisecond, Kill: l.kill}
	if _, err := Run(ctx, l.dir, s); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	<-l.ended
}

// The container's end in the middle of a step is not an exit status.
func TestContainerEnds(t *testing.T) {
	inShells(t, func(t *testing.T, l loop) {
		if _, _, _, err := l.run(t.Context(), ":"); err != nil {
			t.Fatal(err)
		}
		ready := filepath.Join(l.home, "ready")
		go func() {
			for {
				if _, err := os.Stat(ready); err == nil {
					l.kill()
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		if _, _, _, err := l.run(t.Context(), ": >"+ready+"; sleep 1000"); !errors.Is(err, ErrEnded) {
			t.Errorf("it ends with %v", err)
		}
	})
}

// A driver that is killed at once, after or before it has announced its step, does not prevent
// the next driver's step.
func TestDriverThatIsGone(t *testing.T) {
	inShells(t, func(t *testing.T, l loop) {
		if _, _, _, err := l.run(t.Context(), ":"); err != nil {
			t.Fatal(err)
		}
		c, err := find(l.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// One has left its pipes, one has none any more.
		dir := filepath.Join(l.dir, "step-left")
		if err := makePipes(dir, in, out, errs, status); err != nil {
			t.Fatal(err)
		}
		if _, err := c.next.WriteString("step-left\nstep-gone\n"); err != nil {
			t.Fatal(err)
		}
		if stdout, _, code, err := l.run(t.Context(), "echo mine; exit 3"); stdout != "mine\n" || code != 3 || err != nil {
			t.Errorf("%q, %d, %v", stdout, code, err)
		}
	})
}

// A job that fills the pipe that announces steps to its container cannot make the driver wait
// for ever.
func TestFullPipe(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pipes")
	if err := Make(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{next, alive} {
		f, err := open(filepath.Join(dir, name), os.O_RDWR)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if name == alive {
			continue
		}
		_ = f.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := f.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the pipe takes all: %v", err)
		}
	}
	if _, err := Run(t.Context(), dir, Step{}); !errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(err.Error(), "handing a step over: ") {
		t.Errorf("a step: %v", err)
	}
	if err := Dismiss(dir); !errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(err.Error(), "ending the container: ") {
		t.Errorf("the end: %v", err)
	}
}
