package debian13

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEachNameIsATest: `make test-podman5` would run nothing for a name that no test has.
func TestEachNameIsATest(t *testing.T) {
	files, err := filepath.Glob("../e2e/*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no end-to-end tests: %v", err)
	}
	tests := map[string]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^func (Test[A-Z]\w*)\(t \*testing\.T\)`).FindAllSubmatch(text, -1) {
			tests[string(match[1])] = true
		}
	}
	list, err := os.ReadFile("security.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		name := strings.TrimSpace(line)
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		if !tests[name] || seen[name] {
			t.Errorf("security.txt has %s, which is no end-to-end test, or there twice", name)
		}
		seen[name] = true
	}
	if len(seen) == 0 {
		t.Error("security.txt names no test")
	}
}
