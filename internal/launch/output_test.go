package launch

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"podman-executor/pkg/podman"
)

// inShells runs a test with an sbatch that runs the job script by each shell that may be
// a machine's sh, and waits for its end.
func inShells(t *testing.T, test func(*testing.T, func(script string) Launcher)) {
	t.Helper()
	for name, words := range map[string][]string{"dash": {"dash"}, "bash": {"bash", "--posix"}, "busybox": {"busybox", "sh"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, err := exec.LookPath(words[0])
			if err != nil {
				t.Skipf("no %s on this machine", name)
			}
			test(t, func(script string) Launcher {
				l := launcher(t, script)
				sbatch := filepath.Join(t.TempDir(), "sbatch")
				text := "#!/bin/sh\nfor job; do :; done\necho $$ >" + filepath.Join(l.Dir, "sbatch-pid") + "\nexec " + program + " " + strings.Join(words[1:], " ") + " \"$job\"\n"
				if err := os.WriteFile(sbatch, []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
				l.Program, l.Words = sbatch, nil
				return l
			})
		})
	}
}

func batch(t *testing.T, l Launcher) (out string, o Outcome) {
	t.Helper()
	var said, errs bytes.Buffer
	nothing := func() {}
	o, err := l.Batch(t.Context(), podman.Streams{Stdin: strings.NewReader("a line\n"), Stdout: &said, Stderr: &errs}, nothing, nothing)
	if err != nil {
		t.Errorf("%v\n%s", err, &errs)
	}
	return said.String(), o
}

// A job's output is bounded in the file that it goes by; the job goes on, and ends as it
// ends.
func TestBatchOutput(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, with func(string) Launcher) {
		l := with(`head -n 1; echo bad >&2; exit 7`)
		if out, o := batch(t, l); out != "a line\nbad\n" || o.Launcher != 7 {
			t.Errorf("%q, %+v", out, o)
		}
		largest := filepath.Join(t.TempDir(), "largest")
		l = with(`i=0; while [ $i -lt 64 ]; do i=$((i + 1)); head -c 16384 /dev/zero | tr '\0' x; done; wc -c <"${report%/*}/output" >` + largest + `; echo the end; exit 9`)
		l.maxOutput = 256 << 10
		out, o := batch(t, l)
		if o.Launcher != 9 {
			t.Errorf("the job has ended: %+v", o)
		}
		const notice = "\npodman-executor: the output is larger than 262144 bytes; the rest is dropped\n"
		if out != strings.Repeat("x", l.maxOutput)+notice {
			t.Errorf("%d bytes of output, which end with %q", len(out), out[max(0, len(out)-120):])
		}
		text, err := os.ReadFile(largest)
		var size int
		if _, scanned := fmt.Sscan(string(text), &size); err != nil || scanned != nil || size > l.maxOutput+len(notice) {
			t.Errorf("the file has had %q bytes (%v)", text, err)
		}
		if left, _ := filepath.Glob(filepath.Join(l.Dir, "[jopsie]*")); len(left) > 1 {
			t.Errorf("left: %q", left)
		}
	})
}

// The output arrives while the job runs, including what it prints when told to end: Slurm sends
// SIGTERM to all processes of a job.
func TestBatchOutputOfStoppedJob(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, with func(string) Launcher) {
		l := with(`echo begun; cat >/dev/null; echo its last words; exit 3`)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out := &watched{seen: cancel, word: "begun"}
		tell := func() {
			text, err := os.ReadFile(filepath.Join(l.Dir, "sbatch-pid"))
			var pid int
			if _, scanned := fmt.Sscan(string(text), &pid); err != nil || scanned != nil {
				t.Errorf("%q, %v", text, err)
				return
			}
			// To the group: to the writer of the output, too.
			_ = syscall.Kill(-pid, syscall.SIGTERM)
		}
		l.Podman = []string{"sh", "-c", `trap '' TERM; ` + l.Podman[2]}
		l.Grace = time.Minute
		if _, err := l.Batch(ctx, podman.Streams{Stdin: strings.NewReader("x\n"), Stdout: out, Stderr: &bytes.Buffer{}}, tell, func() {}); err == nil {
			t.Error("it was not stopped")
		}
		if text := out.text.String(); text != "begun\nits last words\n" {
			t.Errorf("it has said %q", text)
		}
	})
}

// watched is an output, in which a word is seen.
type watched struct {
	text bytes.Buffer
	word string
	seen func()
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.text.Write(p)
	if strings.Contains(w.text.String(), w.word) {
		w.seen()
	}
	return n, err
}

// A process that a job leaves behind and that holds its output does not make anybody wait.
func TestBatchOutputThatStaysOpen(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, with func(string) Launcher) {
		gone := filepath.Join(t.TempDir(), "gone")
		// It ends by itself a few minutes after a test that was killed.
		l := with(`(n=0; while [ ! -e ` + gone + ` ] && [ $n -lt 3000 ]; do n=$((n + 1)); sleep 0.1; done) & echo said`)
		defer func() { _ = os.WriteFile(gone, nil, 0o600) }()
		if out, o := batch(t, l); out != "said\n" || o.Launcher != 0 {
			t.Errorf("%q, %+v", out, o)
		}
	})
}
