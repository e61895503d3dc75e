package drivertest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"podman-executor/internal/driver"
)

// widest is how many characters a line of --help may have.
const widest = 80

// Help checks a program's --help: each option has a line, no other option is named, and the
// lines fit a terminal.
func Help(t *testing.T, p driver.Program) {
	options, described := p.Options(), map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^    --([a-z-]+)`).FindAllStringSubmatch(p.Help, -1) {
		described[m[1]] = true
	}
	for _, name := range options {
		if !described[name] {
			t.Errorf("--help has no line for --%s", name)
		}
	}
	for _, m := range regexp.MustCompile(`--([a-z][a-z-]*)`).FindAllStringSubmatch(p.Help, -1) {
		if m[1] != "help" && !slices.Contains(options, m[1]) {
			t.Errorf("--help names --%s, which is not an option", m[1])
		}
	}
	for line := range strings.Lines(p.Help) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > widest {
			t.Errorf("longer than %d characters: %s", widest, line)
		}
	}
	if !strings.HasPrefix(p.Help, "Usage:\n    "+p.Name) || !strings.Contains(p.Help, "\n\nExample") {
		t.Errorf("--help begins with the usage and has an example:\n%s", p.Help)
	}
}
