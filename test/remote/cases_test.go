//go:build !remote

package remote

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEachCaseIsListed: each end-to-end test runs on another host's podman, or there is a
// reason why not.
func TestEachCaseIsListed(t *testing.T) {
	text, err := os.ReadFile("cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 2 || !slices.Contains([]string{"ssh", "unix", "both", "-"}, words[1]) || (words[1] == "-") != (len(words) > 2) {
			t.Errorf("want a test, ssh, unix or both, or - and a reason: %q", line)
			continue
		}
		listed = append(listed, words[0])
	}
	files, err := filepath.Glob("../e2e/*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no end-to-end tests: %v", err)
	}
	var tests []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^func (Test[A-Z]\w*)\(t \*testing\.T\)`).FindAllSubmatch(text, -1) {
			tests = append(tests, string(match[1]))
		}
	}
	for _, name := range tests {
		if !slices.Contains(listed, name) {
			t.Errorf("cases.txt lacks %s", name)
		}
	}
	for i, name := range listed {
		if !slices.Contains(tests, name) || slices.Index(listed, name) < i {
			t.Errorf("cases.txt has %s, which is no test, or is listed twice", name)
		}
	}
}
