package spec_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// What reads a request or builds command lines waits for nothing and runs nothing.
func TestImports(t *testing.T) {
	for _, dir := range []string{".", "../request"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range file.Imports {
				seen++
				switch path, _ := strconv.Unquote(spec.Path.Value); path {
				case "context", "os/exec", "podman-executor/internal/driver", "podman-executor/internal/site", "podman-executor/internal/process":
					t.Errorf("%s imports %s", name, path)
				}
			}
		}
		if seen == 0 {
			t.Errorf("%s: no imports seen", dir)
		}
	}
}
