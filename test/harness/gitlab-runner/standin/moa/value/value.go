// Package value stands in for gitlab.com/gitlab-org/moa/value, the values of job inputs. See package moa for what is
// really done: values are decoded and their kind is known, but only a string can be used.
package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
)

// Errors of looking something up in an object.
var (
	ErrAttributeNotFound = errors.New("attribute not found")
	ErrInvalidKey        = errors.New("invalid key")
)

// Kind is the type of a Value.
type Kind int

// The kinds of values.
const (
	NullKind Kind = iota
	StringKind
	NumberKind
	BoolKind
	ArrayKind
	ObjectKind
)

// String names the kind.
func (k Kind) String() string {
	return [...]string{"null", "string", "number", "bool", "array", "object"}[k]
}

// Mapper is something that can be used as an object.
type Mapper interface {
	All() iter.Seq2[Value, Value]
	Attr(string) (Value, error)
	Get(Value) (Value, error)
	Keys() iter.Seq[Value]
	Len() int
	Values() iter.Seq[Value]
	WithMarks(uint16) Mapper
}

// Value is a value; the zero Value is null.
type Value struct {
	kind   Kind
	text   string // a string as it is, any other kind as JSON
	object Mapper // set by Object
	marks  uint16
}

// Null returns the null value.
func Null() Value { return Value{} }

// String returns a string value.
func String(s string) Value { return Value{kind: StringKind, text: s} }

// Object returns an object value.
func Object(m Mapper) Value { return Value{kind: ObjectKind, object: m} }

// Kind returns the kind of the value.
func (v Value) Kind() Kind { return v.kind }

// String returns a string as it is and any other kind as JSON.
func (v Value) String() string { return v.text }

// Attr returns the named attribute of an object.
func (v Value) Attr(name string) (Value, error) {
	if v.object == nil {
		return Null(), ErrAttributeNotFound
	}
	return v.object.Attr(name)
}

// WithMarks returns the value with marks added.
func (v Value) WithMarks(marks uint16) Value {
	v.marks |= marks
	return v
}

// HasMarks reports whether the value has all the marks.
func (v Value) HasMarks(marks uint16) bool { return v.marks&marks == marks }

// Marks returns the marks of the value.
func (v Value) Marks() uint16 { return v.marks }

// UnmarshalJSON implements json.Unmarshaler.
func (v *Value) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	*v = Value{text: string(data)}
	switch data[0] {
	case 'n':
		*v = Null()
	case '"':
		v.kind = StringKind
		return json.Unmarshal(data, &v.text)
	case 't', 'f':
		v.kind = BoolKind
	case '[':
		v.kind = ArrayKind
	case '{':
		v.kind = ObjectKind
	default:
		v.kind = NumberKind
	}
	return nil
}
