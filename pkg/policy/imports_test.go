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

// The walls between packages. The policy decides and does nothing; podman does and decides
// nothing. Neither imports the other, and podman knows nothing of GitLab. The package that
// starts and ends processes imports none of them, and the runner's protocol neither of the two.
// Packages that read a request, build command lines, know podman's words or judge the end of a
// step wait for nothing and run nothing.
func TestImports(t *testing.T) {
	decides := []string{"context", "os/exec", "podman-executor/internal/driver", "podman-executor/internal/process", "podman-executor/internal/site"}
	tests := []struct {
		files string
		// never has import paths, and prefixes that stand for all paths that begin with them,
		// except those in but.
		never, but []string
	}{
		{"*.go", []string{"os/exec", "syscall", "net", "net/...", "podman-executor/...", "gitlab.com/..."}, []string{"net/netip"}}, // it only parses addresses
		{"../podman/*.go", []string{"podman-executor/...", "gitlab.com/..."}, []string{"podman-executor/internal/process"}},
		{"../../internal/process/*.go", []string{"podman-executor/...", "gitlab.com/..."}, nil},
		{"../../internal/driver/*.go", []string{"podman-executor/pkg/...", "podman-executor/internal/site"}, nil},
		{"../../internal/fault/*.go", append([]string{"os", "podman-executor/pkg/policy", "podman-executor/internal/...", "gitlab.com/..."}, decides...), nil},
		{"../../internal/request/*.go", decides, nil},
		{"../../internal/spec/*.go", decides, nil},
		{"../../cmd/run/outcome*.go", []string{"context", "net", "net/...", "os", "os/...", "syscall", "time"}, nil},
	}
	for _, test := range tests {
		files, err := filepath.Glob(test.files)
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
			t.Errorf("%s: no imports seen", test.files)
		}
	}
}
