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
// reason why not; and those of hosts, which are built with the tag `remote`, run as such.
func TestEachCaseIsListed(t *testing.T) {
	listed, tests := kinds(t), endToEndTests(t)
	for name, isOfHosts := range tests {
		kind, ok := listed[name]
		if !ok {
			t.Errorf("cases.txt lacks %s", name)
		} else if isOfHosts != (kind == "hosts") {
			t.Errorf("cases.txt has %s as %s: want hosts for tests with the build tag `remote`, and for no others", name, kind)
		}
	}
	for name := range listed {
		if _, ok := tests[name]; !ok {
			t.Errorf("cases.txt has %s, which is not a test", name)
		}
	}
}

// kinds returns the kind of each test of cases.txt.
func kinds(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 2 || !slices.Contains([]string{"ssh", "both", "more", "hosts", "-"}, words[1]) || (words[1] == "-") != (len(words) > 2) {
			t.Errorf("want a test and its kind, with - a reason: %q", line)
			continue
		}
		if _, ok := listed[words[0]]; ok {
			t.Errorf("cases.txt has %s twice", words[0])
		}
		listed[words[0]] = words[1]
	}
	return listed
}

// TestNamesExist: `make test-core` and CI would run nothing for a name that no test has.
func TestNamesExist(t *testing.T) {
	tests := endToEndTests(t)
	for _, list := range []string{"../e2e/podman.txt", "../e2e/core.txt", "../e2e/long.txt"} {
		text, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for line := range strings.Lines(string(text)) {
			name := strings.TrimSpace(line)
			if name == "" || strings.HasPrefix(name, "#") {
				continue
			}
			if _, ok := tests[name]; !ok || seen[name] {
				t.Errorf("%s has %s, which is not an end-to-end test, or is there twice", list, name)
			}
			seen[name] = true
		}
		if len(seen) == 0 {
			t.Errorf("%s names no test", list)
		}
	}
}

// endToEndTests returns the tests of test/suites/e2e, and whether each has the build tag `remote`.
func endToEndTests(t *testing.T) map[string]bool {
	t.Helper()
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
		constraint, _, _ := strings.Cut(string(text), "\n")
		isOfHosts := strings.HasPrefix(constraint, "//go:build ") && strings.Contains(constraint, "remote")
		for _, match := range regexp.MustCompile(`(?m)^func (Test[A-Z]\w*)\(t \*testing\.T\)`).FindAllSubmatch(text, -1) {
			tests[string(match[1])] = isOfHosts
		}
	}
	return tests
}
