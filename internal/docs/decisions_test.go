package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

const decisions = "../../docs/decisions"

// record is a decision as described in the index, and in its own file.
type record struct{ number, title, status, date string }

var (
	recordName = regexp.MustCompile(`\A(\d{4})-[a-z0-9]+(-[a-z0-9]+)*\.md\z`)
	recordHead = regexp.MustCompile(`\A# (\d+)\. (.+)\n\n- Status: (.+)\n- Date: (.+)\n\n`)
	indexRow   = regexp.MustCompile(`(?m)^\| \[(\d+)\]\((.+?)\) \| (.+?) \| (.+?) \| (.+?) \| .+ \|$`)
	date       = regexp.MustCompile(`\A20\d\d-[01]\d-[0-3]\d\z`)
	status     = regexp.MustCompile(`\A(proposed|accepted|accepted, (amended by|amends) .*|superseded by .*)\z`)
)

// Every decision is in the index with its own title, status and date, and the index has no others.
func TestDecisionsAreInTheIndex(t *testing.T) {
	index := map[string]record{}
	for _, row := range indexRow.FindAllStringSubmatch(decision(t, "README.md"), -1) {
		index[row[2]] = record{row[1], row[3], row[4], row[5]}
	}
	for i, name := range recordNames(t) {
		head := recordHead.FindStringSubmatch(decision(t, name))
		if head == nil {
			t.Errorf("%s does not begin as template.md does", name)
			continue
		}
		own := record{head[1], head[2], head[3], head[4]}
		if want := strconv.Itoa(i + 1); own.number != want || recordName.FindStringSubmatch(name)[1] != "0000"[len(want):]+want {
			t.Errorf("%s is number %s, want %s", name, own.number, want)
		}
		if !date.MatchString(own.date) || !status.MatchString(own.status) {
			t.Errorf("%s: status %q, date %q", name, own.status, own.date)
		}
		if index[name] != own {
			t.Errorf("the index has for %s\n%q, the record\n%q", name, index[name], own)
		}
		delete(index, name)
	}
	for name := range index {
		t.Errorf("the index has %s, which does not exist", name)
	}
}

// Where a decision is amended by another, both say so.
func TestAmendedDecisions(t *testing.T) {
	amends, amended := [][2]string{}, [][2]string{}
	link := regexp.MustCompile(`\[(\d+)\]`)
	for _, name := range recordNames(t) {
		head := recordHead.FindStringSubmatch(decision(t, name))
		if head == nil {
			t.Fatal(name)
		}
		for _, part := range regexp.MustCompile(`(amended by|amends)([^;]*)`).FindAllStringSubmatch(head[3], -1) {
			for _, other := range link.FindAllStringSubmatch(part[2], -1) {
				if part[1] == "amends" {
					amends = append(amends, [2]string{other[1], head[1]})
				} else {
					amended = append(amended, [2]string{head[1], other[1]})
				}
			}
		}
	}
	for _, pair := range amended {
		if !slices.Contains(amends, pair) {
			t.Errorf("%s is amended by %s, which does not say so", pair[0], pair[1])
		}
	}
	for _, pair := range amends {
		if !slices.Contains(amended, pair) {
			t.Errorf("%[2]s amends %[1]s, which does not say so", pair[0], pair[1])
		}
	}
}

// recordNames returns the names of all decisions, in the order of their numbers.
func recordNames(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(decisions)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		switch name := entry.Name(); {
		case recordName.MatchString(name):
			names = append(names, name)
		case name != "README.md" && name != "template.md":
			t.Errorf("%s/%s is not a decision", decisions, name)
		}
	}
	if len(names) < 30 {
		t.Fatalf("%d decisions; where are the others?", len(names))
	}
	return names
}

func decision(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(decisions, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Links to decisions lead to files, wherever they stand.
func TestLinksToDecisions(t *testing.T) {
	link := regexp.MustCompile(`[(/](\d{4}-[a-z0-9-]+\.md)\)`)
	names := recordNames(t)
	seen := 0
	err := filepath.WalkDir("../..", func(file string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "bin"):
			return filepath.SkipDir
		case entry.IsDir() || !slices.Contains([]string{".md", ".tmpl"}, filepath.Ext(file)):
			return nil
		}
		text, err := os.ReadFile(file)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			seen++
			if !slices.Contains(names, m[1]) {
				t.Errorf("%s links to %s, which does not exist", file, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Errorf("%d links to decisions; where are the others?", seen)
	}
}
