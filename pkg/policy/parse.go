package policy

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxFileSize is the largest policy file, in bytes. A list of 10,000 images is less than a
// tenth of it.
const maxFileSize = 16 << 20

// Problem is one thing wrong with a policy file.
type Problem struct {
	File string
	// Line starts at 1. 0: the problem is with the file as a whole.
	Line int
	// Key is the full key, such as "general.podman.runner_image". It is empty for
	// errors of TOML syntax.
	Key  string
	What string
}

// String returns the problem as `file:line: key: what is wrong`.
func (p Problem) String() string {
	return where(p.File, p.Line, p.Key) + ": " + p.What
}

// Problems is everything wrong with a policy file, in the order of its lines.
type Problems []Problem

// Error returns the problems, one per line.
func (ps Problems) Error() string { return strings.Join(ps.Lines(), "\n") }

// Lines returns the problems, one per line.
func (ps Problems) Lines() []string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return lines
}

// Hint returns what the administrator can do.
func (ps Problems) Hint() string {
	return "no job runs until the policy is fixed; docs/policy.md lists every key"
}

// Load reads the policy file of that name. Its error is [Problems] if the content of the
// file is wrong.
func Load(name string) (*Policy, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening the policy: %w", err)
	}
	defer f.Close()
	return Parse(name, f)
}

// Parse reads a policy. The name is only for messages. Its error is [Problems], with every
// problem of the text, if the content is wrong.
func Parse(name string, r io.Reader) (*Policy, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the policy %s: %w", name, err)
	}
	if len(text) > maxFileSize {
		return nil, Problems{{File: name, What: fmt.Sprintf("larger than %d MiB", maxFileSize>>20)}}
	}
	p, problems, ok := decode(name, string(text))
	if ok {
		c := checker{policy: p, lines: p.lines, problems: problems}
		c.check()
		problems = c.problems
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
		})
		return nil, problems
	}
	return p, nil
}
