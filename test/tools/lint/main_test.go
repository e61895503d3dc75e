package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wrong has a file for each rule of .golangci.yml, and what its linter says of it.
var wrong = []struct{ name, text, want string }{
	{
		"pkg/policy/policy.go", "package policy\n\nimport _ \"context\"\n",
		"pkg/policy/policy.go:3:8: import 'context' is not allowed from list 'policy': a decision neither waits nor ends early (depguard)",
	},
	{
		"pkg/podman/podman.go", "package podman\n\nimport _ \"podman-executor/pkg/policy\"\n",
		"pkg/podman/podman.go:3:8: import 'podman-executor/pkg/policy' is not allowed from list 'podman': podman knows no other package (depguard)",
	},
	{
		"internal/plan/plan.go", "package plan\n\nimport _ \"os/exec\"\n",
		"internal/plan/plan.go:3:8: import 'os/exec' is not allowed from list 'decides': what decides starts nothing (depguard)",
	},
	{
		"internal/a/a.go", "package a\n\nimport o \"os\"\n\nvar A = o.Getenv(\"A\")\n",
		"internal/a/a.go:5:9: use of `o.Getenv` forbidden because \"only driver.Main reads the environment; use the Call's\" (forbidigo)",
	},
	{
		"internal/b/b.go", "package b\n\nimport \"fmt\"\n\nfunc B() { fmt.Println() }\n",
		"internal/b/b.go:5:12: use of `fmt.Println` forbidden because \"write to the streams of the Call\" (forbidigo)",
	},
	{
		"internal/c/c.go", "package c\n\nimport \"os\"\n\nfunc C() { os.Exit(1) }\n",
		"internal/c/c.go:5:12: use of `os.Exit` forbidden because \"return an error; only main exits\" (forbidigo)",
	},
	{
		"internal/d/d.go", "package d\n\nimport \"os/exec\"\n\nvar D = exec.Command(\"true\")\n",
		"internal/d/d.go:5:9: use of `exec.Command` forbidden because \"only the packages that .golangci.yml lists start processes\" (forbidigo)",
	},
	{
		"internal/e/e.go", "package e\n\nimport \"io\"\n\nfunc E(err error) bool { return err == io.ErrNoProgress }\n",
		"internal/e/e.go:5:33: comparing with == will fail on wrapped errors. Use errors.Is to check for a specific error (errorlint)",
	},
	{
		"internal/f/f.go", "package f\n\nimport \"fmt\"\n\nfunc F(err error) error { return fmt.Errorf(\"f: %v\", err) }\n",
		"internal/f/f.go:5:54: non-wrapping format verb for fmt.Errorf. Use `%w` to format errors (errorlint)",
	},
}

// Each rule of .golangci.yml finds what it is there for, and nothing else is found.
func TestRules(t *testing.T) {
	configuration, err := os.ReadFile("../../../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, ".golangci.yml", string(configuration))
	write(t, dir, "go.mod", "module podman-executor\n\ngo 1.26\n")
	for _, w := range wrong {
		write(t, dir, w.name, w.text)
	}
	write(t, dir, "cmd/run/main.go", "package main\n\nimport \"os\"\n\nfunc main() { os.Exit(1) }\n")
	var out strings.Builder
	if err := lint(dir, &out); err == nil || !strings.Contains(err.Error(), "excludes nothing") {
		t.Errorf("an exclusion without use: %v", err)
	}
	found := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(found) != len(wrong) {
		t.Errorf("%d findings, want %d:\n%s", len(found), len(wrong), out.String())
	}
	for _, w := range wrong {
		if !strings.Contains(out.String(), w.want+"\n") {
			t.Errorf("not found: %s\nin:\n%s", w.want, out.String())
		}
	}
}

// A key that this program does not know is an error.
func TestUnknownKey(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".golangci.yml", "version: \"2\"\nlinters:\n  default: none\n  enable: [errorlint]\n  settings:\n    errorlint:\n      errorf: true\n")
	var out strings.Builder
	if err := lint(dir, &out); err == nil || !strings.Contains(err.Error(), "unknown field") {
		t.Errorf("want an error about an unknown field, got %v", err)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
