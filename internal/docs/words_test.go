package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// badWords are phrases that read as translated, each with what to write instead. What allowed
// matches is taken out of a line first.
var badWords = []struct{ pattern, instead string }{
	{`\bmend(s|ed|ing)?\b`, "fix"},
	{`\bkin\b`, "and so on"},
	{`\bis no\b`, "is not a, or invalid"},
	{`\bwho comes from\b`, "coming from"},
	{`\banew\b`, "again"},
	{`\bin spite of\b`, "although"},
}

var allowed = regexp.MustCompile(`(?i)\b(there is no|is no longer)\b`)

// notOurs are files whose words are others'.
var notOurs = []string{"LICENSE", "DCO", "words_test.go"}

// Words that do not come back: in messages, which stand in the code and in the scripts of tests,
// in comments, and on pages.
func TestWords(t *testing.T) {
	extensions := []string{"", ".md", ".tmpl", ".go", ".txtar", ".sh", ".bash", ".toml", ".yml", ".conf", ".service", ".timer"}
	patterns := make([]*regexp.Regexp, len(badWords))
	for i, w := range badWords {
		patterns[i] = regexp.MustCompile("(?i)" + w.pattern)
	}
	files := 0
	err := filepath.WalkDir("../..", func(file string, entry os.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if name == ".git" || name == "bin" || name == "fuzz" {
				return filepath.SkipDir
			}
			return nil
		case !entry.Type().IsRegular() || slices.Contains(notOurs, name) || !slices.Contains(extensions, filepath.Ext(name)):
			return nil
		}
		text, err := os.ReadFile(file)
		files++
		for i, line := range strings.Split(string(text), "\n") {
			line = allowed.ReplaceAllString(line, "")
			for j, pattern := range patterns {
				if word := pattern.FindString(line); word != "" {
					t.Errorf("%s:%d: %q: write %q", strings.TrimPrefix(file, "../../"), i+1, word, badWords[j].instead)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 500 {
		t.Errorf("%d files; where are the others?", files)
	}
}
