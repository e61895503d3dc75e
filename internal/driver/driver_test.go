package driver

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
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
	const usage = "Usage:\n    prog ARGS"
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
		{"help", []string{"--help"}, nil, 0, usage + "\n\nmore\n", "", ""},
		{"help, one dash", []string{"-h"}, runner, 0, usage + "\n\nmore\n", "", ""},
		{"unknown option", []string{"--nonsense"}, runner, 2, "", "flag provided but not defined: -nonsense\n" + usage + "\n\nSee prog --help.\n", ""},
		{"by hand", nil, nil, 2, "", "about\n", ""},
		{"by hand, with a TMPDIR", nil, runner[:1], 2, "", "about\n", ""},
		{"by hand, with a job", nil, runner[1:], 2, "", "about\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			called := ""
			p := Program{Name: "prog", About: "about", Help: usage + "\n\nmore\n", Stage: func(_ context.Context, c *Call) error {
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

// TestCommand: an option that asks for other work than the stage's needs no runner; it can be
// interrupted where the stage cannot, and has exit statuses of its own.
func TestCommand(t *testing.T) {
	var asked string
	var stopped bool
	var failure error
	p := Program{
		Name: "prog", About: "about", Uninterruptible: true,
		Flags: func(flags *flag.FlagSet, call *Call) {
			flags.Func("look-at", "", func(thing string) error {
				asked = thing
				call.Command = func(ctx context.Context, _ *Call) error { stopped = ctx.Err() != nil; return failure }
				return nil
			})
		},
		Stage: func(context.Context, *Call) error { t.Error("the stage runs"); return nil },
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		args           []string
		failure        error
		status         int
		stdout, stderr string
	}{
		{[]string{"--look-at", "x"}, nil, 0, "", ""},
		{[]string{"--look-at", "x"}, &Fault{Err: errors.New("bad"), Hint: "do"}, 1, "", "prog: error: bad\nprog: hint: do\n"},
	} {
		var out, errs bytes.Buffer
		asked, stopped, failure = "", false, tt.failure
		status := Run(ctx, p, tt.args, nil, &out, &errs)
		if status != tt.status || out.String() != tt.stdout || errs.String() != tt.stderr || (asked != "x" || !stopped) {
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
