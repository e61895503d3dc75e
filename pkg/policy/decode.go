package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// decoder fills a Policy from parsed TOML, key by key, and collects every
// problem. Reflection is over the types of types.go only.
type decoder struct {
	policy   *Policy
	meta     toml.MetaData
	problems Problems
	// duplicates are the names that syntax gave to duplicate keys.
	duplicates map[string]bool
}

// captured takes a value of the file as it is, and always fails: that is how
// the position of a key comes out of the TOML library, which gives positions
// in its errors only (BurntSushi/toml decode.go, MetaData.parseErr).
type captured struct{ value any }

var errCaptured = errors.New("captured")

func (c *captured) UnmarshalTOML(value any) error {
	c.value = value
	return errCaptured
}

// value returns what stands under a key, and its line.
func (d *decoder) value(p toml.Primitive) (any, int) {
	var c captured
	err := d.meta.PrimitiveDecode(p, &c)
	var at toml.ParseError
	if errors.As(err, &at) {
		return c.value, at.Position.Line
	}
	return c.value, 0
}

func (d *decoder) problem(p Problem) {
	p.File = d.policy.file
	d.problems = append(d.problems, p)
}

// table fills the struct for the table with that path from the keys of the file.
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
		// 0 would mean that the file does not have it.
		d.policy.lines[key] = max(line, 1)
		if isTable(field.Type()) {
			var sub map[string]toml.Primitive
			if _, ok := value.(map[string]any); !ok || d.meta.PrimitiveDecode(keys[name], &sub) != nil {
				d.problem(Problem{Line: line, Key: key, What: "want a table, got " + describe(value)})
				continue
			}
			d.table(at, sub)
			continue
		}
		for _, what := range assign(field, value) {
			d.problem(Problem{Line: line, Key: key, What: what})
		}
	}
}

// isTable tells whether a field stands for a table, not for a value.
func isTable(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[Integer]()
}

// target returns the struct that stands for the table with that path.
func (d *decoder) target(path []string) reflect.Value {
	v := reflect.ValueOf(d.policy).Elem()
	for _, name := range path {
		v = fields(v)[name]
	}
	return v
}

// fields returns the fields of a table's struct by their TOML key.
func fields(v reflect.Value) map[string]reflect.Value {
	byKey := map[string]reflect.Value{}
	for i := range v.NumField() {
		if key := v.Type().Field(i).Tag.Get("toml"); key != "" {
			byKey[key] = v.Field(i)
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

// assign stores a value of the file in a field, and says what is wrong with it.
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
	case *PullPolicies:
		list, wrong := pullPolicies(value)
		*to = list
		return wrong
	default:
		panic("policy: no way to read a key of type " + field.Type().String())
	}
	return nil
}

// eachString gives take each string of a list, and says which entries are wrong.
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

// describe names a value of the file in TOML's terms. It does not show strings:
// under some keys they may be secrets.
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

func truncate(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// unknown says that a key is none of those known, and which may be meant.
func unknown(name string, known map[string]reflect.Value) string {
	for _, k := range sorted(known) {
		if distance(name, k) <= 2 {
			return fmt.Sprintf("unknown key (did you mean %q?)", k)
		}
	}
	return "unknown key"
}

// distance is the edit distance of two keys.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
