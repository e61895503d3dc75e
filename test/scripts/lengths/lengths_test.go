// Package lengths holds the project's files and functions to their lengths (CONTRIBUTING.md).
package lengths

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	repository = "../../.."
	// mostLines is how many lines a file may have, and mostOfFunction a function, from its name to its closing brace.
	mostLines, mostOfFunction = 399, 59
)

// TestLengths looks at all files that git knows, and at those that it does not know yet.
func TestLengths(t *testing.T) {
	out, err := exec.Command("git", "-C", repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(repository, name))
		if os.IsNotExist(err) || !isSource(name, string(text)) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n > mostLines {
			t.Errorf("%s has %d lines: want %d at most", name, n, mostLines)
		}
		if strings.HasSuffix(name, ".go") {
			functions(t, name, text)
		}
	}
}

// isSource reports whether a file is written by hand: Go, scripts, Makefiles and YAML.
func isSource(name, text string) bool {
	switch filepath.Ext(name) {
	case ".go", ".sh", ".bash", ".yml", ".yaml", ".mk":
		return true
	}
	return strings.HasPrefix(text, "#!") || filepath.Base(name) == "Makefile" || strings.HasSuffix(name, "Containerfile")
}

func functions(t *testing.T, name string, text []byte) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return
	}
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		first, last := files.Position(function.Name.Pos()).Line, files.Position(function.End()).Line
		if n := last - first + 1; n > mostOfFunction {
			t.Errorf("%s:%d: %s has %d lines: want %d at most", name, first, function.Name.Name, n, mostOfFunction)
		}
	}
}
