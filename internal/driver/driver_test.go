package driver

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"podman-executor/internal/plan"
	"podman-executor/pkg/podman"
)

func TestGetenv(t *testing.T) {
	c := Call{Environ: []string{"A=1", "AB=2", "A=3", "E=", "X=y=z"}}
	// Of two the last counts, as for any program (os/exec, dedupEnv).
	for name, want := range map[string]string{"A": "3", "AB": "2", "E": "", "X": "y=z", "B": "", "": ""} {
		if got := c.Getenv(name); got != want {
			t.Errorf("Getenv(%q) = %q, want %q", name, got, want)
		}
	}
}

// TestRunArguments: options, and what comes after them.
func TestRunArguments(t *testing.T) {
	dir := t.TempDir()
	runner := []string{"TMPDIR=" + dir, "JOB_RESPONSE_FILE=" + dir + "/response.json"}
	const usage = "usage: prog [--policy FILE] [--version] ARGS"
	tests := []struct {
		name           string
		args, environ  []string
		status         int
		stdout, stderr string
		called         string
	}{
		{"nothing", nil, runner, 0, "", "", "[] "},
		{"arguments", []string{"a", "b"}, runner, 0, "", "", "[a b] "},
		{"policy", []string{"--policy", "f", "a"}, runner, 0, "", "", "[a] f"},
		{"policy, one word", []string{"-policy=f"}, runner, 0, "", "", "[] f"},
		{"an option behind the arguments is one of them", []string{"a", "--policy", "f"}, runner, 0, "", "", "[a --policy f] "},
		{"two dashes", []string{"--", "--version"}, runner, 0, "", "", "[--version] "},
		{"version", []string{"--version"}, nil, 0, "prog " + Version() + "\n", "", ""},
		{"help", []string{"--help"}, nil, 0, "about\n" + usage + "\n", "", ""},
		{"help, one dash", []string{"-h"}, runner, 0, "about\n" + usage + "\n", "", ""},
		{"unknown option", []string{"--nonsense"}, runner, 2, "", "flag provided but not defined: -nonsense\nabout\n" + usage + "\n", ""},
		{"by hand", nil, nil, 2, "", "about\n", ""},
		{"by hand, with a TMPDIR", nil, runner[:1], 2, "", "about\n", ""},
		{"by hand, with a job", nil, runner[1:], 2, "", "about\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			called := ""
			p := Program{Name: "prog", About: "about", Arguments: "ARGS", Stage: func(_ context.Context, c *Call) error {
				called = fmt.Sprint(c.Args, " ", c.Policy)
				return nil
			}}
			status := Run(t.Context(), p, tt.args, tt.environ, &out, &errs)
			if status != tt.status || out.String() != tt.stdout || errs.String() != tt.stderr || called != tt.called {
				t.Errorf("got status %d, stdout %q, stderr %q, called %q", status, &out, &errs, called)
			}
		})
	}
}

// TestByHand: an option that asks for work by hand needs no runner; it can be
// interrupted where the stage cannot, and has exit statuses of its own.
func TestByHand(t *testing.T) {
	var asked string
	var stopped bool
	var failure error
	p := Program{
		Name: "prog", About: "about", Uninterruptible: true,
		Flags: func(flags *flag.FlagSet, call *Call) {
			flags.Func("look-at", "look at a `THING`", func(thing string) error {
				asked = thing
				call.ByHand = func(ctx context.Context, _ *Call) error { stopped = ctx.Err() != nil; return failure }
				return nil
			})
		},
		Stage: func(context.Context, *Call) error { t.Error("the stage runs"); return nil },
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	const usage = "about\nusage: prog [--look-at THING] [--policy FILE] [--version]\n"
	for _, tt := range []struct {
		args           []string
		failure        error
		status         int
		stdout, stderr string
	}{
		{[]string{"--look-at", "x"}, nil, 0, "", ""},
		{[]string{"--look-at", "x"}, &Fault{Err: errors.New("bad"), Todo: "do"}, 1, "", "prog: error: bad\nprog: hint: do\n"},
		{[]string{"--help"}, nil, 0, usage + "  --look-at THING\n        look at a THING\n  --policy FILE\n        the policy FILE\n  --version\n        print name, version and commit\n", ""},
	} {
		var out, errs bytes.Buffer
		asked, stopped, failure = "", false, tt.failure
		status := Run(ctx, p, tt.args, nil, &out, &errs)
		if status != tt.status || out.String() != tt.stdout || errs.String() != tt.stderr || len(tt.args) > 1 && (asked != "x" || !stopped) {
			t.Errorf("%q: status %d, stdout %q, stderr %q, asked for %q, stopped %v", tt.args, status, &out, &errs, asked, stopped)
		}
	}
}

// TestVersion has the form that --version promises, whatever the build has set.
func TestVersion(t *testing.T) {
	if got := VersionNumber(); got == "" || strings.ContainsAny(got, " \n") {
		t.Errorf("number %q", got)
	}
	if got := Version(); !strings.HasPrefix(got, VersionNumber()+" (") || !strings.HasSuffix(got, ")") || strings.Contains(got, "()") {
		t.Errorf("version %q", got)
	}
}

// TestLogQuotes: the log's lines can be given to a shell as they are.
func TestLogQuotes(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{nil, ""},
		{[]string{"image", "pull", "--quiet"}, "image pull --quiet"},
		{[]string{""}, "''"},
		{[]string{"a b", "$x", "`x`", "a\nb", "*"}, "'a b' '$x' '`x`' 'a\nb' '*'"},
		{[]string{"it's"}, `'it'\''s'`},
		{[]string{`a\b`, `a"b`}, `'a\b' 'a"b'`},
	}
	for _, tt := range tests {
		if got := quoted(tt.args); got != tt.want {
			t.Errorf("quoted(%q) = %s, want %s", tt.args, got, tt.want)
		}
	}
}

// TestLogLevels: command lines are for "debug", failures for "info".
func TestLogLevels(t *testing.T) {
	tests := []struct {
		level string
		lines []string
	}{
		{"debug", []string{"podman ps --all", "podman rm ended with a failure", "podman rm x", "said"}},
		{"info", []string{"podman rm ended with a failure", "said"}},
		{"", []string{"podman rm ended with a failure", "said"}},
		{"error", nil},
	}
	for _, tt := range tests {
		name := filepath.Join(t.TempDir(), "log")
		c := &Call{Program: "prog"}
		log, err := c.OpenLog(plan.Log{File: name, Level: tt.level, Format: "json"}, 42, 7)
		if err != nil {
			t.Fatal(err)
		}
		log.Podman(podman.Command{Args: []string{"ps", "--all"}, Duration: time.Second})
		log.Podman(podman.Command{Args: []string{"rm", "x"}, Err: &podman.ExitError{Verb: "rm", Code: 1}})
		log.Info("said")
		log.Close()
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var messages []string
		for line := range strings.Lines(string(text)) {
			_, rest, _ := strings.Cut(line, `"msg":"`)
			message, _, _ := strings.Cut(rest, `"`)
			messages = append(messages, message)
			if !strings.Contains(line, `"job":42`) || !strings.Contains(line, `"project":7`) || !strings.Contains(line, `"program":"prog"`) {
				t.Errorf("%s: a line does not say whose it is: %s", tt.level, line)
			}
		}
		if !slices.Equal(messages, tt.lines) {
			t.Errorf("%q: got %q, want %q", tt.level, messages, tt.lines)
		}
	}
}

// TestLogAppends: a log is nobody else's to read, and no job's lines replace
// another's.
func TestLogAppends(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	for range 2 {
		log, err := (&Call{}).OpenLog(plan.Log{File: name, Format: "text"}, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("line")
		log.Close()
	}
	text, err := os.ReadFile(name)
	if err != nil || strings.Count(string(text), "msg=line") != 2 {
		t.Errorf("got %q, %v", text, err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}

// TestNoLog: without a file the log goes nowhere, and closing it does no harm.
func TestNoLog(t *testing.T) {
	log, err := (&Call{}).OpenLog(plan.Log{}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("line")
	log.Close()
}
