package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// readmeRatios are the lines of docs/benchmarks.md whose figures README's section has,
// in its order.
var readmeRatios = []string{
	"hello: time of podman-executor to docker executor",
	"12 hellos: time of podman-executor to docker executor",
	"hello: time of podman-executor to naive scripts",
}

var ratio = regexp.MustCompile(`\d+\.\d\d×`)

// checkRatios compares the section of README with the page that `make bench` writes.
// Either both are there or none.
func checkRatios(readme, page string) error {
	_, section, found := strings.Cut(readme, "\n## How fast\n")
	switch {
	case !found && page == "":
		return nil
	case !found:
		return errors.New("there is docs/benchmarks.md, and README.md has no section \"How fast\"")
	case page == "":
		return errors.New("README.md has a section \"How fast\", and there is no docs/benchmarks.md")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var want []string
	for _, what := range readmeRatios {
		_, row, found := strings.Cut(page, "\n| "+what+" |")
		if !found {
			return fmt.Errorf("docs/benchmarks.md has no line %q", what)
		}
		row, _, _ = strings.Cut(row, "\n")
		cells := strings.Split(row, "|")
		if len(cells) < 2 || !ratio.MatchString(cells[1]) {
			return fmt.Errorf("docs/benchmarks.md has no figure in the line %q", what)
		}
		want = append(want, strings.TrimSpace(cells[1]))
	}
	if got := ratio.FindAllString(section, -1); !slices.Equal(got, want) {
		return fmt.Errorf("README.md says %q, docs/benchmarks.md %q", got, want)
	}
	return nil
}

func TestReadmeHasFiguresOfBenchmarks(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/benchmarks.md")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := checkRatios(string(readme), string(page)); err != nil {
		t.Error(err)
	}
}

func TestCheckRatios(t *testing.T) {
	const (
		page = "# Benchmarks\n| hello: time of podman-executor to docker executor | at most 0.30× | 0.25× | met |\n" +
			"| hello: time of podman-executor to naive scripts | at most 0.90× | 0.80× | met |\n" +
			"| 12 hellos: time of podman-executor to docker executor | at most 0.35× | 0.31× | met |\n"
		readme = "# A\n\n## How fast\n\n0.25×, 0.31× and 0.80× of the time.\n\n## Next\n\n0.99×\n"
	)
	for _, test := range []struct{ readme, page, wrong string }{
		{readme, page, ""},
		{"# A\n", "", ""},
		{"# A\n", page, "no section"},
		{readme, "", "no docs/benchmarks.md"},
		{strings.ReplaceAll(readme, "0.31×", "0.30×"), page, "README.md says"},
		{strings.ReplaceAll(readme, "0.80×", "little"), page, "README.md says"},
		{readme, strings.ReplaceAll(page, "12 hellos", "13 hellos"), "no line"},
		{readme, strings.ReplaceAll(page, "| 0.31× |", "| – |"), "no figure"},
	} {
		err := checkRatios(test.readme, test.page)
		if test.wrong == "" && err != nil || test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)) {
			t.Errorf("%q, %q: %v, want %q", test.readme, test.page, err, test.wrong)
		}
	}
}
