package policy_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The policy decides and does nothing; podman does and decides nothing. Neither
// knows of the other, nor podman of GitLab; how processes are started and ended knows of none
// of them.
func TestImports(t *testing.T) {
	tests := []struct {
		dir string
		// never has paths, and what stands for all paths that begin so, but for those of but.
		never, but []string
	}{
		{".", []string{"os/exec", "syscall", "net", "net/...", "podman-executor/...", "gitlab.com/..."}, []string{"net/netip"}}, // it only parses addresses
		{"../podman", []string{"podman-executor/...", "gitlab.com/..."}, []string{"podman-executor/internal/process"}},
		{"../../internal/process", []string{"podman-executor/...", "gitlab.com/..."}, nil},
	}
	for _, test := range tests {
		files, err := filepath.Glob(filepath.Join(test.dir, "*.go"))
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
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				for _, never := range test.never {
					prefix, all := strings.CutSuffix(never, "...")
					if path == never || all && !slices.Contains(test.but, path) && strings.HasPrefix(path, prefix) {
						t.Errorf("%s imports %s", name, path)
					}
				}
			}
		}
		if seen == 0 {
			t.Errorf("%s: no imports seen", test.dir)
		}
	}
}
