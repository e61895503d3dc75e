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

// TestRunByHand: an option of the program's own that asks for work needs no job, and
// its errors are told like a stage's.
func TestRunByHand(t *testing.T) {
	var size string
	p := Program{
		Name: "prog", About: "about",
		Flags: func(flags *flag.FlagSet, c *Call) {
			flags.StringVar(&size, "larger-than", "", "the `SIZE`")
			flags.BoolFunc("look", "look", func(string) error {
				c.ByHand = func(_ context.Context, c *Call) error {
					fmt.Fprintln(c.Stdout, "larger than", size, "under", c.Policy)
					return &Fault{Err: errors.New("found"), Todo: "mend it"}
				}
				return nil
			})
		},
		Stage: func(context.Context, *Call) error { panic("the stage") },
	}
	var out, errs bytes.Buffer
	status := Run(t.Context(), p, []string{"--look", "--larger-than", "5g", "--policy", "p"}, nil, &out, &errs)
	if status != 2 || out.String() != "larger than 5g under p\n" || errs.String() != "prog: error: found\nprog: hint: mend it\n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, &out, &errs)
	}
	out.Reset()
	if status := Run(t.Context(), p, []string{"--help"}, nil, &out, &errs); status != 0 || out.String() != "about\nusage: prog [--larger-than SIZE] [--look] [--policy FILE] [--version]\n" {
		t.Errorf("status %d, %q", status, &out)
	}
	out.Reset()
	errs.Reset()
	if status := Run(t.Context(), p, []string{"--larger-than", "5g"}, nil, &out, &errs); status != 2 || errs.String() != "about\n" {
		t.Errorf("without --look: status %d, %q", status, &errs)
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
