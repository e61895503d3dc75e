package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podman-executor/pkg/policy"
)

// runStage runs a stage as a program that the runner called, in a directory of
// its own, and returns its exit status, what it printed, and the code file.
func runStage(t *testing.T, ctx context.Context, stage func(context.Context, *Call) error, extra ...string) (status int, stdout, stderr, code string) {
	t.Helper()
	dir := t.TempDir()
	environ := append([]string{"TMPDIR=" + dir, "JOB_RESPONSE_FILE=" + dir + "/response.json", "BUILD_EXIT_CODE_FILE=" + dir + "/code"}, extra...)
	var out, errs bytes.Buffer
	p := Program{Name: "prog", About: "about", Stage: stage}
	status = Run(ctx, p, nil, environ, &out, &errs)
	text, err := os.ReadFile(filepath.Join(dir, "code"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return status, out.String(), errs.String(), string(text)
}

// bare is an error type without a hint.
type bare struct{}

func (bare) Error() string { return "it broke" }

// TestFinish is the exit-status table.
func TestFinish(t *testing.T) {
	denial := &policy.Denial{Subject: "image \"x\"", Reason: "no", Rule: "p:1: k"}
	tests := []struct {
		name    string
		err     error
		stopped bool
		status  int
		stderr  string
		code    string
	}{
		{"success", nil, false, 0, "", ""},
		{"script", &ScriptError{Code: 42}, false, 1, "", "42\n"},
		{"script, wrapped", fmt.Errorf("running: %w", &ScriptError{Code: 255}), false, 1, "", "255\n"},
		{"refusal", &Refusal{Err: bare{}, Hint: "fix it"}, false, 1, "prog: error: it broke\nprog: hint: fix it\n", ""},
		{"refusal, wrapped", fmt.Errorf("doing: %w", &Refusal{Err: bare{}, Hint: "fix it"}), false, 1, "prog: error: doing: it broke\nprog: hint: fix it\n", ""},
		{"refusal with the error's own hint", &Refusal{Err: denial}, false, 1, "prog: error: policy denies image \"x\": no\nprog: hint: p:1: k lists what is allowed; ask the administrator of this runner for more\n", ""},
		{"denial that nobody made a refusal", denial, false, 2, "prog: error: policy denies image \"x\": no\nprog: hint: p:1: k lists what is allowed; ask the administrator of this runner for more\n", ""},
		{"fault", &Fault{Err: bare{}, Hint: "fix it"}, false, 2, "prog: error: it broke\nprog: hint: fix it\n", ""},
		{"fault without a hint", &Fault{Err: bare{}}, false, 2, "prog: error: it broke\nprog: hint: " + forAdministrator + "\n", ""},
		{"the first hint counts", &Fault{Err: &Fault{Err: bare{}, Hint: "inner"}, Hint: "outer"}, false, 2, "prog: error: it broke\nprog: hint: outer\n", ""},
		{"the hint of one of several", fmt.Errorf("doing: %w", errors.Join(bare{}, &Fault{Err: bare{}, Hint: "fix it"})), false, 2, "prog: error: doing: it broke\nprog: error: it broke\nprog: hint: fix it\n", ""},
		{"a line break of a job's", fmt.Errorf("doing: %w", errors.New("no image x\nprog: hint: forged")), false, 2, "prog: error: doing: no image x�prog: hint: forged\nprog: hint: " + forAdministrator + "\n", ""},
		{"a line break of a job's in one of several", &Refusal{Err: errors.Join(fmt.Errorf("doing: %w: again", errors.New("a\nb")), nil, bare{}), Hint: "fix\nit"}, false, 1, "prog: error: doing: a�b: again\nprog: error: it broke\nprog: hint: fix�it\n", ""},
		{"several in several", fmt.Errorf("doing: %w", errors.Join(errors.Join(bare{}, errors.New("a\nb")), bare{})), false, 2, "prog: error: doing: it broke\nprog: error: a�b\nprog: error: it broke\nprog: hint: " + forAdministrator + "\n", ""},
		{"any error", bare{}, false, 2, "prog: error: it broke\nprog: hint: " + forAdministrator + "\n", ""},
		{"problems, one a line", policy.Problems{{File: "p", Line: 1, Key: "a", What: "bad"}, {File: "p", Line: 2, What: "worse"}}, false, 2, "prog: error: p:1: a: bad\nprog: error: p:2: worse\nprog: hint: " + policy.Problems{}.Hint() + "\n", ""},
		{"stopped", bare{}, true, 2, "", ""},
		{"stopped, and done all the same", nil, true, 2, "", ""},
		{"stopped while refusing", &Refusal{Err: bare{}}, true, 2, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			status, stdout, stderr, code := runStage(t, ctx, func(context.Context, *Call) error {
				if tt.stopped {
					cancel()
				}
				return tt.err
			})
			if status != tt.status || stderr != tt.stderr || code != tt.code || stdout != "" {
				t.Errorf("got status %d, code %q, stderr\n%s\nwant status %d, code %q, stderr\n%s", status, code, stderr, tt.status, tt.code, tt.stderr)
			}
		})
	}
}

// TestStatuses: the runner chooses the exit statuses. An invalid exit status is
// not taken for one: 0 would make a green job of a failed one.
func TestStatuses(t *testing.T) {
	tests := []struct {
		variable      string
		build, system int
	}{
		{"", 1, 2},
		{"77", 77, 77},
		{"255", 255, 255},
		{"0", 1, 2},
		{"-1", 1, 2},
		{"256", 1, 2},
		{"2x", 1, 2},
	}
	for _, tt := range tests {
		env := []string{"BUILD_FAILURE_EXIT_CODE=" + tt.variable, "SYSTEM_FAILURE_EXIT_CODE=" + tt.variable}
		for want, err := range map[int]error{tt.build: &Refusal{Err: bare{}}, tt.system: bare{}} {
			if tt.build == tt.system && want != tt.build {
				continue
			}
			if got, _, _, _ := runStage(t, t.Context(), func(context.Context, *Call) error { return err }, env...); got != want {
				t.Errorf("%q, %T: got %d, want %d", tt.variable, err, got, want)
			}
		}
	}
}

// noMap is nil in a way that staticcheck does not see.
var noMap map[string]string

// TestPanic: a bug is a system failure, reported in one line without a Go stack, a type or a
// value, which may be a secret.
func TestPanic(t *testing.T) {
	for name, bug := range map[string]func(){
		"a value":          func() { panic("s3cret") },
		"an error":         func() { panic(fmt.Errorf("s3cret: %w", &ScriptError{Code: 1})) },
		"a nil map":        func() { noMap["s3cret"] = "" },
		"a nil pointer":    func() { var c *Call; c.Args = nil },
		"an index":         func() { s := []int{}; i := 1; s[i] = 1 },
		"a type assertion": func() { var a any = 1; _ = a.(string) },
	} {
		status, stdout, stderr, code := runStage(t, t.Context(), func(context.Context, *Call) error { bug(); return nil })
		lines := strings.Split(stderr, "\n")
		if status != 2 || stdout != "" || code != "" || len(lines) != 3 {
			t.Errorf("%s: got status %d, code %q, stdout %q, stderr\n%s", name, status, code, stdout, stderr)
			continue
		}
		const at = "prog: error: internal error at driver/exit_test.go:"
		if !strings.HasPrefix(lines[0], at) || !strings.HasPrefix(lines[1], "prog: hint: ") {
			t.Errorf("%s: got\n%s", name, stderr)
		}
		if strings.Contains(stderr, "s3cret") || len(lines[0]) > len(at)+4 {
			t.Errorf("%s: says more than the place:\n%s", name, stderr)
		}
	}
}

// TestStaleCode: a code that an earlier step left is gone before the stage runs.
func TestStaleCode(t *testing.T) {
	file := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(file, []byte("42\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, _, _ = runStage(t, t.Context(), func(context.Context, *Call) error {
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the stage finds the code: %v", err)
		}
		return nil
	}, "BUILD_EXIT_CODE_FILE="+file)
}

func TestPrintableLine(t *testing.T) {
	for in, want := range map[string]string{
		"\tat Main.main(Main.java:3)":           "\tat Main.main(Main.java:3)",
		"\x1b[1;31mERROR\x1b[0m red\x1b[m":      "ERROR red",
		"\x1b[0Ksection_start:1:x\r\x1b[0Kend":  "�[0Ksection_start:1:x��[0Kend",
		"\x1b[\x1b[0m0Ksection_start:1:x\x1b[0": "�[0Ksection_start:1:x�[0",
		"two\nlines\u202e\xff":                  "two�lines��",
	} {
		if got := PrintableLine(in); got != want {
			t.Errorf("PrintableLine(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	const r = "�"
	tests := []struct{ name, in, want string }{
		{"plain", "debian:12 – ünïcode 漢字 ✓", "debian:12 – ünïcode 漢字 ✓"},
		{"newline", "a\nprog: hint: all is well", "a" + r + "prog: hint: all is well"},
		{"carriage return", "bad\rgood", "bad" + r + "good"},
		{"section marker", "\x1b[0Ksection_start:1:x\r\x1b[0K", r + "[0Ksection_start:1:x" + r + r + "[0K"},
		{"bell, backspace, delete, NUL", "\a\b\x7f\x00", r + r + r + r},
		{"tab", "a\tb", "a" + r + "b"},
		{"C1 control", "\u009b31m", r + "31m"},
		{"right to left", "\u202egpj.exe\u202c", r + "gpj.exe" + r},
		{"isolate", "\u2066x\u2069", r + "x" + r},
		{"line separators", "a\u2028b\u2029c\u0085d", "a" + r + "b" + r + "c" + r + "d"},
		{"zero width, byte order mark", "a\u200bb\ufeffc", "a" + r + "b" + r + "c"},
		{"no UTF-8", "a\xff\xfeb", "a" + r + r + "b"},
		{"odd spaces", "a\u00a0b\u3000c", "a" + r + "b" + r + "c"},
		{"private use", "\ue000", r},
	}
	for _, tt := range tests {
		if got := Printable(tt.in); got != tt.want {
			t.Errorf("%s: Printable(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

// TestForgedLines: names chosen by a job cannot forge a line of the driver's, in a warning or
// in an error.
func TestForgedLines(t *testing.T) {
	_, _, stderr, _ := runStage(t, t.Context(), func(_ context.Context, c *Call) error {
		c.Warn("the image %s", "x\nprog: hint: do as I say\x1b[2J")
		return &Refusal{Err: bare{}, Hint: "use\r\nprog: hint: evil"}
	})
	want := "prog: warning: the image x�prog: hint: do as I say�[2J\nprog: error: it broke\nprog: hint: use��prog: hint: evil\n"
	if stderr != want {
		t.Errorf("got\n%q, want\n%q", stderr, want)
	}
}
