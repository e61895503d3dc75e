package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

// syntax parses TOML. The TOML library stops at a duplicate key or table. So each duplicate
// is reported and renamed, and the text is parsed again: all problems can be reported at
// once. Any other error of syntax ends the parsing.
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
			// The duplicate is inside the value, as in { a = 1, a = 2 }, and was reported.
			return nil, false
		}
		d.problem(Problem{Line: line, Key: strings.TrimPrefix(key, "Key '"), What: "duplicate: the file already has this key"})
		d.duplicates[name] = true
		var ok bool
		if text, ok = rename(text, line, name); !ok {
			return nil, false
		}
	}
}

// rename renames the key, or the table, that begins on a line. Lines are counted from 1.
// The value of the key is unchanged, also if it has several lines.
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
