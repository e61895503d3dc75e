package gitlab

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// decoder reads YAML by hand, as only that gives every complaint its line and
// every unknown key a complaint. It goes on after an error, to report all of
// them at once.
type decoder struct {
	file string
	errs []error
}

// keys says what to do with the value of each known key; where names the value
// in messages.
type keys map[string]func(value ast.Node, where string)

// document returns the only document of a YAML file.
func (d *decoder) document(data []byte) ast.Node {
	file, err := parser.ParseBytes(data, 0)
	var syntax yaml.Error
	switch {
	case errors.As(err, &syntax):
		d.failAt(syntax.GetToken().Position.Line, syntax.GetToken().Position.Column, "%s", syntax.GetMessage())
	case err != nil:
		d.errs = append(d.errs, fmt.Errorf("%s: %w", d.file, err))
	case len(file.Docs) != 1 || file.Docs[0].Body == nil:
		d.errs = append(d.errs, fmt.Errorf("%s: want one YAML document", d.file))
	default:
		return file.Docs[0].Body
	}
	return nil
}

func (d *decoder) failAt(line, column int, format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf("%s:%d:%d: %s", d.file, line, column, fmt.Sprintf(format, args...)))
}

// fail complains about n.
func (d *decoder) fail(n ast.Node, format string, args ...any) {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key // a mapping's own token is its first colon
	}
	at := n.GetToken().Position
	d.failAt(at.Line, at.Column, format, args...)
}

// want complains that n is of the wrong kind.
func (d *decoder) want(n ast.Node, where, kind string) {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.fail(n, "%s: anchors, aliases and tags are not supported", where)
	default:
		d.fail(n, "%s: want %s", where, kind)
	}
}

// entry is one pair of a mapping.
type entry struct {
	key   string
	node  ast.Node // the key's
	value ast.Node
}

// entries are the pairs of a mapping, in order. Duplicates do not get here, the
// parser refuses them.
func (d *decoder) entries(n ast.Node, where string) []entry {
	mapping, ok := n.(*ast.MappingNode)
	if !ok {
		d.want(n, where, "a mapping")
		return nil
	}
	var list []entry
	for _, pair := range mapping.Values {
		switch pair.Key.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
			list = append(list, entry{pair.Key.GetToken().Value, pair.Key, pair.Value})
		default:
			d.want(pair.Key, where, "plain keys (merge keys are not supported)")
		}
	}
	return list
}

// object reads a mapping whose keys are all known.
func (d *decoder) object(n ast.Node, where string, known keys) {
	for _, e := range d.entries(n, where) {
		if set, ok := known[e.key]; ok {
			set(e.value, where+": "+e.key)
		} else {
			d.fail(e.node, "%s: unknown or unsupported key %q", where, e.key)
		}
	}
}

func (d *decoder) list(n ast.Node, where string) []ast.Node {
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		d.want(n, where, "a list")
		return nil
	}
	return sequence.Values
}

// text is a string; what YAML takes for a number or a boolean is refused, as
// GitLab does.
func (d *decoder) text(n ast.Node, where string) string {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value
	case *ast.LiteralNode:
		return v.Value.Value
	}
	d.want(n, where, "a string")
	return ""
}

// textOrNumber is a string, or a number as it is written.
func (d *decoder) textOrNumber(n ast.Node, where string) string {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value
	case *ast.StringNode, *ast.LiteralNode:
		return d.text(n, where)
	}
	d.want(n, where, "a string or a number")
	return ""
}

// oneOf is a string out of a fixed set.
func (d *decoder) oneOf(n ast.Node, where string, allowed ...string) string {
	before := len(d.errs)
	s := d.text(n, where)
	if len(d.errs) == before && !slices.Contains(allowed, s) {
		d.fail(n, "%s: want one of %s, got %q", where, strings.Join(allowed, ", "), s)
	}
	return s
}

func (d *decoder) boolean(n ast.Node, where string) bool {
	v, ok := n.(*ast.BoolNode)
	if !ok {
		d.want(n, where, "true or false")
		return false
	}
	return v.Value
}

// texts is a list of strings, never nil.
func (d *decoder) texts(n ast.Node, where string) []string {
	all := []string{}
	for _, item := range d.list(n, where) {
		all = append(all, d.text(item, where))
	}
	return all
}

// script is a string or a list of strings, which may be nested; never nil.
func (d *decoder) script(n ast.Node, where string) []string {
	if _, ok := n.(*ast.SequenceNode); !ok {
		return []string{d.text(n, where)}
	}
	all := []string{}
	for _, item := range d.list(n, where) {
		all = append(all, d.script(item, where)...)
	}
	return all
}

// into stores what read returns: most keys need no more than that.
func into[T any](target *T, read func(ast.Node, string) T) func(ast.Node, string) {
	return func(n ast.Node, where string) { *target = read(n, where) }
}
