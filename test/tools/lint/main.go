// Command lint runs the linters of .golangci.yml, each as the analyser that golangci-lint runs,
// over the module in the current directory. It needs seconds where golangci-lint, which has a
// hundred more, needs minutes to build.
//
// It also fails where the file names what is not there: an exclusion that excludes nothing, or
// files of an import rule that match none.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

func main() {
	if err := lint(".", os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(1)
	}
}

// finding is what a linter says of a line.
type finding struct {
	file         string // below the module
	line, column int
	text, linter string
}

// lint writes what the linters find in the module of a directory, and fails if that is anything.
func lint(dir string, out io.Writer) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	c, err := readConfig(filepath.Join(dir, ".golangci.yml"))
	if err != nil {
		return err
	}
	all, err := c.findings(dir)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, c.excluded)
	for _, f := range all {
		fmt.Fprintf(out, "%s:%d:%d: %s (%s)\n", f.file, f.line, f.column, f.text, f.linter)
	}
	if err := c.unused(); err != nil {
		return err
	}
	if len(all) > 0 {
		return errors.New("see above, and .golangci.yml for the reasons")
	}
	return nil
}

// findings are those of all linters, excluded ones included, in the order of files and lines.
func (c *config) findings(dir string) ([]finding, error) {
	linters, err := c.analyzers()
	if err != nil {
		return nil, err
	}
	// The analysers exchange no facts between packages, so dependencies need no syntax.
	loaded, err := packages.Load(&packages.Config{Dir: dir, Mode: packages.LoadSyntax}, "./...")
	if err != nil {
		return nil, err
	}
	for _, p := range loaded {
		for _, e := range p.Errors {
			return nil, e
		}
	}
	graph, err := checker.Analyze(linters, loaded, nil)
	if err != nil {
		return nil, err
	}
	for _, p := range loaded {
		c.files = append(c.files, p.GoFiles...)
	}
	return below(dir, graph)
}

// below returns what was found, by the names of files below a directory.
func below(dir string, graph *checker.Graph) ([]finding, error) {
	var all []finding
	for _, action := range graph.Roots {
		if action.Err != nil {
			return nil, fmt.Errorf("%s: %w", action, action.Err)
		}
		for _, d := range action.Diagnostics {
			at := action.Package.Fset.Position(d.Pos)
			name, err := filepath.Rel(dir, at.Filename)
			if err != nil {
				return nil, err
			}
			all = append(all, finding{filepath.ToSlash(name), at.Line, at.Column, d.Message, action.Analyzer.Name})
		}
	}
	slices.SortFunc(all, func(a, b finding) int {
		if a.file != b.file {
			return strings.Compare(a.file, b.file)
		}
		return a.line - b.line
	})
	return all, nil
}
