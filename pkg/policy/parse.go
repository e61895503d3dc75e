package policy

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxFileSize bounds what is read of a policy file, in bytes. A list of 10,000
// images takes well under a tenth of it.
const maxFileSize = 16 << 20

// Problem is one thing wrong with a policy file.
type Problem struct {
	File string
	// Line starts at 1; 0 where the problem is with the file as a whole.
	Line int
	// Key is the full key, such as "general.podman.runner_image"; empty for
	// errors of TOML's own syntax.
	Key  string
	What string
}

// String returns the problem as `file:line: key: what is wrong`.
func (p Problem) String() string {
	return where(p.File, p.Line, p.Key) + ": " + p.What
}

// Problems is everything wrong with a policy file, in the order of its lines.
type Problems []Problem

// Error returns one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Hint tells the administrator what to do.
func (ps Problems) Hint() string {
	return "no job runs until the policy is mended; docs/policy.md lists every key"
}

// Load reads the policy file of that name. What is wrong inside the file comes
// back as [Problems].
func Load(name string) (*Policy, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening the policy: %w", err)
	}
	defer f.Close()
	return Parse(name, f)
}

// Parse reads a policy. The name is for messages only. What is wrong inside the
// text comes back as [Problems], all of it at once.
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
