package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page for those who come from the docker executor has no empty cell, and
// names no key that the policy does not have.
func TestMigratingPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/migrating-from-docker.md")
	if err != nil {
		t.Fatal(err)
	}
	reference, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	key := regexp.MustCompile("`([a-z_]+\\.)?([a-z0-9_]+)( = .*)?`")
	rows := 0
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for _, cell := range cells {
			if strings.TrimSpace(cell) == "" {
				t.Errorf("an empty cell in %s", line)
			}
		}
		if len(cells) != 3 {
			continue // a table of something else than keys
		}
		for _, m := range key.FindAllStringSubmatch(cells[1], -1) {
			if !strings.Contains(string(reference), "| `"+m[2]+"` |") {
				t.Errorf("the policy has no key %s: %s", m[2], line)
			}
		}
	}
	if rows < 100 {
		t.Errorf("%d rows; where are the others?", rows)
	}
}
