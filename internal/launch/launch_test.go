package launch

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"podman-executor/pkg/podman"
)

// launcher runs a shell command in podman's place; $report is the container's directory.
func launcher(t *testing.T, script string) Launcher {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "job")
	if err := Make(filepath.Dir(dir), dir); err != nil {
		t.Fatal(err)
	}
	return Launcher{
		Program: "/usr/bin/env", Words: []string{"LAUNCHED=yes"}, Podman: []string{"sh", "-c", script},
		Env: []string{"PATH=" + podman.Path, "report=" + filepath.Join(dir, reportDir)}, Dir: dir, Grace: 50 * time.Millisecond,
	}
}

func TestAttached(t *testing.T) {
	l := launcher(t, `echo "$LAUNCHED" "$SECRET"; head -n 1; echo bad >&2; : >$report/started; echo 42 >$report/status; exit 7`)
	t.Setenv("SECRET", "s3cret")
	for range 2 {
		var out, errs bytes.Buffer
		o, err := l.Attached(t.Context(), podman.Streams{Stdin: strings.NewReader("a line\n"), Stdout: &out, Stderr: &errs})
		want := Outcome{Started: true, Reported: true, Status: 42, Launcher: 7, Stderr: "bad\n"}
		if diff := cmp.Diff(want, o); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if out.String() != "yes \na line\n" || errs.String() != "bad\n" {
			t.Errorf("it wrote %q and %q", &out, &errs)
		}
	}
	// An earlier step's report is not taken for this one's.
	l.Podman = []string{"sh", "-c", "exit 3"}
	o, err := l.Attached(t.Context(), podman.Streams{Stdin: strings.NewReader(""), Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}})
	if diff := cmp.Diff(Outcome{Launcher: 3}, o); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	l.Program = filepath.Join(l.Dir, "none")
	if _, err := l.Attached(t.Context(), podman.Streams{Stdin: strings.NewReader("")}); err == nil || !strings.HasPrefix(err.Error(), "running the launcher: ") {
		t.Errorf("no launcher: %v", err)
	}
}

// The end of standard input is the signal to stop. A launcher that ignores it gets SIGTERM.
func TestAttachedStopped(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"by its input": `: >$report/started; cat >/dev/null; echo ended >&2`,
		"by SIGTERM":   `trap 'echo ended >&2; exit' TERM; : >$report/started; while :; do sleep 0.01; done`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := launcher(t, script)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				for {
					if _, err := os.Stat(filepath.Join(l.Dir, reportDir, "started")); err == nil {
						cancel()
						return
					}
					time.Sleep(time.Millisecond)
				}
			}()
			var errs bytes.Buffer
			_, err := l.Attached(ctx, podman.Streams{Stdin: strings.NewReader("x"), Stdout: &bytes.Buffer{}, Stderr: &errs})
			if !errors.Is(err, context.Canceled) || !strings.HasSuffix(errs.String(), "ended\n") {
				t.Errorf("got %v, and it said %q", err, &errs)
			}
		})
	}
}

// The directory of reports is the job's: what is there may be anything.
func TestForgedReports(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		`echo 256 >$report/status`:                 "invalid exit code of a script",
		`echo -1 >$report/status`:                  "invalid exit code of a script",
		`printf '0\n0\n' >$report/status`:          "invalid exit code of a script",
		`head -c 100000 /dev/zero >$report/status`: "invalid exit code of a script",
		`ln -s /etc/hostname $report/status`:       "too many levels of symbolic links",
		`mkfifo $report/status`:                    "not a regular file",
		`mkdir $report/status`:                     "not a regular file",
	} {
		l := launcher(t, script)
		o, err := l.Attached(t.Context(), podman.Streams{Stdin: strings.NewReader(""), Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}})
		if err == nil || !strings.Contains(err.Error(), want) || o.Reported {
			t.Errorf("%s: got %+v, %v", script, o, err)
		}
		// The next step has a directory of its own making.
		l.Podman = []string{"sh", "-c", "echo 0 >$report/status"}
		if o, err := l.Attached(t.Context(), podman.Streams{Stdin: strings.NewReader(""), Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}}); err != nil || !o.Reported {
			t.Errorf("after %s: got %+v, %v", script, o, err)
		}
	}
}

func TestMake(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := Make(filepath.Dir(dir), dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{filepath.Dir(dir): 0o700, dir: 0o700, filepath.Join(dir, reportDir): 0o777} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	if got, want := ReportMount("/d"), "/d/report:/run/podman-executor/private/report:z"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
