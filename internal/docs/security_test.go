package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that docs/security.md names exists: a promise without its test is worth nothing.
func TestSecurityPage(t *testing.T) {
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := namesOfTests(t, root)
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]*|[a-z]+/[a-z-]+\\.txtar)`")
	rows, named := 0, 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| who |") || strings.HasPrefix(line, "| promise |") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		tests := name.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(tests) == 0 {
			t.Errorf("no test for: %s", line)
		}
		for _, m := range tests {
			named++
			if !there[m[1]] {
				t.Errorf("there is no test %s", m[1])
			}
		}
	}
	if rows < 35 || named < 60 {
		t.Errorf("%d rows with %d tests; where are the others?", rows, named)
	}
}

// namesOfTests returns the test functions, and the scripts as PROGRAM/NAME.txtar,
// of the project.
func namesOfTests(t *testing.T, root string) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)\(`)
	for _, dir := range []string{"cmd", "internal", "pkg", "test"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(file string, entry os.DirEntry, err error) error {
			switch {
			case err != nil || entry.IsDir():
				return err
			case strings.HasSuffix(file, ".txtar"):
				there[filepath.Base(filepath.Dir(filepath.Dir(file)))+"/"+entry.Name()] = true
			case strings.HasSuffix(file, "_test.go"):
				text, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				for _, m := range function.FindAllStringSubmatch(string(text), -1) {
					there[m[1]] = true
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return there
}
