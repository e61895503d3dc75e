package policy

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
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
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Key != "" {
		b.WriteString(": " + p.Key)
	}
	b.WriteString(": " + p.What)
	return b.String()
}

// Problems is everything wrong with a policy file, in the order of its lines.
type Problems []Problem

// Error returns one problem a line.
func (ps Problems) Error() string { return strings.Join(ps.Lines(), "\n") }

// Lines returns the problems, each in a line of its own.
func (ps Problems) Lines() []string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return lines
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
	d := &decoder{policy: &Policy{file: name, lines: map[string]int{}}, duplicates: map[string]bool{}}
	tables, ok := d.syntax(string(text))
	if ok {
		d.table(nil, tables)
		d.check()
	}
	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
		})
		return nil, d.problems
	}
	return d.policy, nil
}

// syntax parses TOML. Of duplicate keys and tables the later ones are renamed
// and reported, so that what else is wrong can be reported in the same run; any
// other error of syntax ends it.
func (d *decoder) syntax(text string) (map[string]toml.Primitive, bool) {
	for {
		var tables map[string]toml.Primitive
		meta, err := toml.Decode(text, &tables)
		if err == nil {
			d.meta = meta
			return tables, true
		}
		var parse toml.ParseError
		if !errors.As(err, &parse) {
			d.problem(Problem{What: err.Error()})
			return nil, false
		}
		line := parse.Position.Line
		key, isDuplicate := strings.CutSuffix(parse.Message, "' has already been defined.")
		if !isDuplicate {
			d.problem(Problem{Line: line, What: strings.TrimSuffix(parse.Message, ".")})
			return nil, false
		}
		name := fmt.Sprintf("duplicate-on-line-%d", line)
		if d.duplicates[name] {
			// It is inside the value, as in { a = 1, a = 2 }, and was reported.
			return nil, false
		}
		d.problem(Problem{Line: line, Key: strings.TrimPrefix(key, "Key '"), What: "duplicate: the key stands in the file already"})
		d.duplicates[name] = true
		var ok bool
		if text, ok = rename(text, line, name); !ok {
			return nil, false
		}
	}
}

// rename gives the key, or the table, that begins on one line, counted from 1,
// another name. Its value stays, over however many lines.
func rename(text string, line int, name string) (string, bool) {
	lines := strings.SplitAfter(text, "\n")
	if line < 1 || line > len(lines) {
		return text, false
	}
	was := strings.TrimSpace(lines[line-1])
	_, value, isKey := strings.Cut(was, "=")
	switch {
	case strings.HasPrefix(was, "["):
		lines[line-1] = "[" + name + "]\n"
	case isKey:
		lines[line-1] = name + " =" + value + "\n"
	default:
		return text, false
	}
	return strings.Join(lines, ""), true
}
