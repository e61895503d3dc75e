package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// decoder fills a Policy from TOML, key by key. It notes the line of each key, and
// collects every problem. Reflection is over the types of keys.go and keys_container.go.
type decoder struct {
	policy   *Policy
	meta     toml.MetaData
	problems Problems
	// duplicates are the names that syntax gave to duplicate keys.
	duplicates map[string]bool
}

// decode returns the policy of a text. ok is false after an error of syntax: then the rest
// of the text is not known.
func decode(name, text string) (p *Policy, wrong Problems, ok bool) {
	d := &decoder{policy: &Policy{file: name, lines: map[string]int{}}, duplicates: map[string]bool{}}
	tables, ok := d.syntax(text)
	if ok {
		d.table(nil, tables)
	}
	return d.policy, d.problems, ok
}

// value returns the value of a key and its line, which is 0 if the TOML library does not
// know it. The library has lines only in errors, so it is asked to decode the value as a
// channel, which always fails. The line is read from the text of that error: a ParseError,
// which has the line as a number, would hold a copy of the whole file for each key
// (BurntSushi/toml decode.go, MetaData.e and MetaData.parseErr).
func (d *decoder) value(p toml.Primitive) (value any, line int) {
	_ = d.meta.PrimitiveDecode(p, &value) // anything can be any
	if err := d.meta.PrimitiveDecode(p, new(chan int)); err != nil {
		_, _ = fmt.Sscanf(err.Error(), "toml: line %d (", &line)
	}
	return value, line
}

func (d *decoder) problem(p Problem) {
	p.File = d.policy.file
	d.problems = append(d.problems, p)
}

// table fills the struct of the table at path from the keys of the file.
func (d *decoder) table(path []string, keys map[string]toml.Primitive) {
	known := fields(d.target(path))
	for _, name := range sorted(keys) {
		if d.duplicates[name] {
			continue
		}
		at := append(slices.Clone(path), name)
		value, line := d.value(keys[name])
		key := toml.Key(at).String()
		field, ok := known[name]
		if !ok {
			d.problem(Problem{Line: line, Key: key, What: unknown(name, known)})
			continue
		}
		// A line of 0 would mean that the file does not have the key.
		d.policy.lines[key] = max(line, 1)
		entries, hasEntries := field.Addr().Interface().(entryReader)
		if hasEntries || isTable(field.Type()) {
			var sub map[string]toml.Primitive
			if _, ok := value.(map[string]any); !ok || d.meta.PrimitiveDecode(keys[name], &sub) != nil {
				d.problem(Problem{Line: line, Key: key, What: "want a table, got " + describe(value)})
				continue
			}
			if hasEntries {
				d.entries(at, sub, entries)
			} else {
				d.table(at, sub)
			}
			continue
		}
		for _, what := range assign(field, value) {
			d.problem(Problem{Line: line, Key: key, What: what})
		}
	}
}

// valueReader is a field that reads its value itself, and returns what is wrong with it.
type valueReader interface{ read(value any) []string }

// entryReader is a field for a table whose keys the administrator chooses.
type entryReader interface {
	readEntry(name string, value any) error
}

// entries gives an entryReader its keys, in the order of their names.
func (d *decoder) entries(path []string, keys map[string]toml.Primitive, field entryReader) {
	for _, name := range sorted(keys) {
		if d.duplicates[name] {
			continue
		}
		value, line := d.value(keys[name])
		key := toml.Key(append(slices.Clone(path), name)).String()
		d.policy.lines[key] = max(line, 1)
		if err := field.readEntry(name, value); err != nil {
			d.problem(Problem{Line: line, Key: key, What: err.Error()})
		}
	}
}

// isTable reports whether a field is a table, and not a value: its type has keys.
func isTable(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool {
		return f.Tag.Get("toml") != ""
	})
}

// target returns the struct of the table at path.
func (d *decoder) target(path []string) reflect.Value {
	v := reflect.ValueOf(d.policy).Elem()
	for _, name := range path {
		v = fields(v)[name]
	}
	return v
}

// fields returns the fields of a table's struct by their TOML key. Fields of an embedded
// struct are among them.
func fields(v reflect.Value) map[string]reflect.Value {
	byKey := map[string]reflect.Value{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		if key := f.Tag.Get("toml"); key != "" {
			byKey[key] = v.FieldByIndex(f.Index)
		}
	}
	return byKey
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// assign stores a value of the file in a field, and returns what is wrong with it.
func assign(field reflect.Value, value any) []string {
	switch to := field.Addr().Interface().(type) {
	case *string:
		s, ok := value.(string)
		if !ok {
			return []string{"want a string, got " + describe(value)}
		}
		*to = s
	case *bool:
		b, ok := value.(bool)
		if !ok {
			return []string{"want true or false, got " + describe(value)}
		}
		*to = b
	case *[]string:
		return eachString(value, appendTo(to))
	case *[]Rule:
		if list, ok := value.([]any); ok {
			*to = slices.Grow(*to, len(list))
		}
		return eachString(value, func(s string) error {
			r, err := newRule(s)
			*to = append(*to, r)
			return err
		})
	case *Integer:
		n, ok := value.(int64)
		if !ok || n != int64(int32(n)) {
			return []string{"want a whole number, got " + describe(value)}
		}
		*to = Integer{Value: int(n), Set: true}
	case *[]AddedService:
		list, wrong := serviceList(value)
		*to = list
		return wrong
	case valueReader:
		return to.read(value)
	default:
		panic("policy: no way to read a key of type " + field.Type().String())
	}
	return nil
}

// eachString calls take for each string of a list, and returns what is wrong with which.
func eachString(value any, take func(string) error) (wrong []string) {
	items, ok := value.([]any)
	if !ok {
		return []string{"want a list of strings, got " + describe(value)}
	}
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			wrong = append(wrong, fmt.Sprintf("entry %d: want a string, got %s", i+1, describe(item)))
		} else if err := take(s); err != nil {
			wrong = append(wrong, fmt.Sprintf("entry %d: %v", i+1, err))
		}
	}
	return wrong
}

// describe names a value of the file in TOML's terms. It does not show strings: some may
// be secrets.
func describe(value any) string {
	switch v := value.(type) {
	case string:
		return "a string"
	case bool:
		return fmt.Sprint(v)
	case int64, float64:
		return fmt.Sprintf("the number %v", v)
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a table"
	default:
		return "a date"
	}
}

// unknown returns the message for an unknown key, with the known key that may be meant.
func unknown(name string, known map[string]reflect.Value) string {
	nearest, best := 3, ""
	for _, k := range sorted(known) {
		if d := distance(strings.ToLower(name), k); d < nearest {
			nearest, best = d, k
		}
	}
	if best == "" {
		return "unknown key"
	}
	return fmt.Sprintf("unknown key (did you mean %q?)", best)
}

// distance is the edit distance of two keys. Two swapped letters are one edit.
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		for j := range d[i] {
			switch {
			case i == 0 || j == 0:
				d[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				d[i][j] = d[i-1][j-1]
			default:
				d[i][j] = 1 + min(d[i-1][j-1], d[i-1][j], d[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
