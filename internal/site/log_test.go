package site

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/plan"
	"podman-executor/pkg/podman"
)

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
		{"debug", []string{"podman ps --all", "podman rm failed", "podman rm x", "said"}},
		{"info", []string{"podman rm failed", "said"}},
		{"", []string{"podman rm failed", "said"}},
		{"error", nil},
	}
	for _, tt := range tests {
		name := filepath.Join(t.TempDir(), "log")
		c := &driver.Call{Program: "prog"}
		log, err := OpenLog(c, plan.Log{File: name, Level: tt.level, Format: "json"}, 42, 7)
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
		log, err := OpenLog(&driver.Call{}, plan.Log{File: name, Format: "text"}, 1, 1)
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
	log, err := OpenLog(&driver.Call{}, plan.Log{}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("line")
	log.Close()
}
