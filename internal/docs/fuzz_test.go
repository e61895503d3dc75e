package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every fuzz test has a committed corpus beside it, whose files have descriptive names, and
// every corpus has its test. `go test` runs them all.
func TestFuzzCorpora(t *testing.T) {
	const root = "../.."
	function := regexp.MustCompile(`(?m)^func (Fuzz[A-Z][A-Za-z0-9]*)\(`)
	file := regexp.MustCompile(`\A[a-z0-9]+(-[a-z0-9]+)*\z`)
	corpora, named := map[string]bool{}, map[string]bool{}
	targets := 0
	for _, dir := range []string{"cmd", "internal", "pkg"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(name string, entry os.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && filepath.Base(filepath.Dir(name)) == "fuzz":
				corpora[name] = true
				return nil
			case !strings.HasSuffix(name, "_test.go"):
				return nil
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			for _, m := range function.FindAllStringSubmatch(string(text), -1) {
				targets++
				corpus := filepath.Join(filepath.Dir(name), "testdata", "fuzz", m[1])
				inputs, err := os.ReadDir(corpus)
				if err != nil || len(inputs) < 2 {
					t.Errorf("%s has no corpus in %s (%v)", m[1], corpus, err)
				}
				for _, input := range inputs {
					if !file.MatchString(input.Name()) {
						t.Errorf("%s: what is %s?", corpus, input.Name())
					}
				}
				named[corpus] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for corpus := range corpora {
		if !named[corpus] {
			t.Errorf("%s does not belong to a test", corpus)
		}
	}
	if targets < 20 {
		t.Errorf("%d fuzz tests; where are the others?", targets)
	}
}
