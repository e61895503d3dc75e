package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podman-executor/internal/fault"
)

func troubleshooting(t *testing.T) string {
	t.Helper()
	page, err := troubleshootingPage()
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestTroubleshootingPageIsCurrent(t *testing.T) {
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(troubleshooting(t), string(text)); diff != "" {
		t.Errorf("docs/troubleshooting.md is not what `make docs` makes now (-now +file):\n%s", diff)
	}
}

// Each row is on the page, with its cause and cure filled in.
func TestEveryFaultIsListed(t *testing.T) {
	page := troubleshooting(t)
	for _, row := range fault.Rows() {
		_, section, found := strings.Cut(page, "\n### "+row.Name+"\n")
		section, _, _ = strings.Cut(section, "\n### ")
		if !found || !strings.Contains(section, "**Fix** ("+row.Whose.String()+"): ") {
			t.Errorf("%s is not on the page:\n%s", row.Name, section)
		}
		// The first letter may be a capital.
		if cause, _, _ := strings.Cut(row.Cause, "${1}"); cause != "" && !strings.Contains(section, cause[1:]) {
			t.Errorf("%s: its cause is not on the page:\n%s", row.Name, section)
		}
	}
	if strings.Contains(page, "${") {
		t.Error("a name was not filled in")
	}
}
