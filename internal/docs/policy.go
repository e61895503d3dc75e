package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// policyText is the page around the tables, which replace tablesMark.
//
//go:embed policy.md
var policyText []byte

const tablesMark = "<!-- tables -->\n"

// policyPackage has the types of the policy, from Policy down.
const policyPackage = "podman-executor/pkg/policy"

// table is one TOML table of the policy.
type table struct {
	name, doc string
	keys      []key
}

// key is one line of a table; its details are paragraphs below the table.
type key struct {
	name, flag, byDefault, meaning string
	details                        []string
}

// longestMeaning is the most characters that a cell of the column "meaning" may have: a
// longer comment needs a second paragraph, which goes below the table.
const longestMeaning = 200

func policyPage() ([]byte, error) {
	source, err := build.Import(policyPackage, ".", 0)
	if err != nil {
		return nil, err
	}
	structs := map[string]structType{}
	for _, name := range source.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(source.Dir, name), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		maps.Copy(structs, structsOf(file))
	}
	head, tail, ok := bytes.Cut(policyText, []byte(tablesMark))
	if !ok {
		return nil, fmt.Errorf("policy.md has no line %q", strings.TrimSpace(tablesMark))
	}
	r := reader{structs: structs}
	r.table("", r.structs["Policy"])
	if r.err != nil {
		return nil, r.err
	}
	page := bytes.NewBuffer(bytes.Clone(head))
	for _, t := range r.tables {
		t.render(page)
	}
	page.Write(tail)
	return page.Bytes(), nil
}

// structType is a struct of the source with its comment.
type structType struct {
	*ast.StructType
	doc string
}

func structsOf(file *ast.File) map[string]structType {
	structs := map[string]structType{}
	for _, d := range file.Decls {
		declaration, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range declaration.Specs {
			spec, ok := s.(*ast.TypeSpec)
			if !ok {
				continue
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				structs[spec.Name.Name] = structType{s, oneLine(declaration.Doc)}
			}
		}
	}
	return structs
}

// reader collects the tables, outer ones first.
type reader struct {
	structs map[string]structType
	tables  []table
	err     error
}

// table adds the TOML table of that name and those below it. Policy itself is
// the file, which has tables only.
func (r *reader) table(name string, s structType) {
	_, doc, _ := strings.Cut(s.doc, ": ")
	t := table{name: name, doc: doc}
	inner := map[string]structType{}
	var order []string
	for _, f := range r.fields(s) {
		tag := tagOf(f)
		keyName := tag.Get("toml")
		if typeName, ok := f.Type.(*ast.Ident); ok && r.isTable(typeName.Name) {
			path := strings.TrimPrefix(name+"."+keyName, ".")
			inner[path] = r.structs[typeName.Name]
			order = append(order, path)
			continue
		}
		t.keys = append(t.keys, r.key(name+"."+keyName, keyName, f, tag))
	}
	if len(t.keys) > 0 {
		r.tables = append(r.tables, t)
	}
	for _, path := range order {
		r.table(path, inner[path])
	}
}

// isTable reports whether a struct stands for a table. Other structs hold a value.
func (r *reader) isTable(name string) bool {
	s, ok := r.structs[name]
	if !ok {
		return false
	}
	return len(r.fields(s)) > 0
}

// fields returns the fields of a struct that are keys, those of an embedded struct
// among them.
func (r *reader) fields(s structType) (list []*ast.Field) {
	for _, f := range s.Fields.List {
		embedded, isName := f.Type.(*ast.Ident)
		switch {
		case tagOf(f).Get("toml") != "":
			list = append(list, f)
		case len(f.Names) == 0 && isName && r.structs[embedded.Name].StructType != nil:
			list = append(list, r.fields(r.structs[embedded.Name])...)
		}
	}
	return list
}

func (r *reader) key(path, name string, f *ast.Field, tag reflect.StructTag) key {
	meaning, details, err := explain(f.Names[0].Name, f.Doc.Text())
	if err != nil {
		r.err = fmt.Errorf("%s: %w", path, err)
	}
	k := key{name: name, meaning: meaning, details: details, flag: "–", byDefault: tag.Get("default")}
	if flag := tag.Get("podman"); flag != "" {
		k.flag = "`podman " + flag + "`"
	}
	isBool := false
	if t, ok := f.Type.(*ast.Ident); ok {
		isBool = t.Name == "bool"
	}
	switch {
	case tag.Get("required") != "":
		k.byDefault = "none: the key is required"
	case k.byDefault == "" && isBool:
		k.byDefault = "false"
	case k.byDefault == "":
		k.byDefault = "none"
	}
	return k
}

// explain makes the meaning of a key from the comment of its field. The key is in another
// column, so the field's name is dropped, with an "is" or "are" after it. The first paragraph
// is the meaning, the others are details.
func explain(field, comment string) (meaning string, details []string, err error) {
	first, rest, _ := strings.Cut(strings.TrimSpace(comment), "\n\n")
	meaning, ok := strings.CutPrefix(joined(first), field+" ")
	if !ok {
		return "", nil, fmt.Errorf("the comment of %s does not begin with its name", field)
	}
	for _, verb := range []string{"is ", "are "} {
		meaning = strings.TrimPrefix(meaning, verb)
	}
	if n := utf8.RuneCountInString(meaning); n > longestMeaning {
		return "", nil, fmt.Errorf("the first paragraph of the comment of %s has %d characters, and %d are the most: make it two", field, n, longestMeaning)
	}
	for paragraph := range strings.SplitSeq(rest, "\n\n") {
		if paragraph = joined(paragraph); paragraph != "" {
			details = append(details, paragraph)
		}
	}
	return capital(meaning), details, nil
}

func (t table) render(page *bytes.Buffer) {
	fmt.Fprintf(page, "### `[%s]`\n\n%s\n\n", t.name, capital(t.doc))
	page.WriteString("| key | podman | default | meaning |\n|---|---|---|---|\n")
	for _, k := range t.keys {
		meaning := k.meaning
		if len(k.details) > 0 {
			meaning += " See below."
		}
		fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", k.name, cell(k.flag), cell(k.byDefault), cell(meaning))
	}
	page.WriteString("\n")
	for _, k := range t.keys {
		for i, paragraph := range k.details {
			if i == 0 {
				paragraph = "**`" + k.name + "`**: " + paragraph
			}
			page.WriteString(paragraph + "\n\n")
		}
	}
}

// capital makes the first letter of a text, which is ASCII, a capital one.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// cell keeps a text from ending its cell of a Markdown table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func oneLine(doc *ast.CommentGroup) string { return joined(doc.Text()) }

// joined makes one line of several.
func joined(lines string) string { return strings.Join(strings.Fields(lines), " ") }

func tagOf(f *ast.Field) reflect.StructTag {
	if f.Tag == nil {
		return ""
	}
	tag, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		return ""
	}
	return reflect.StructTag(tag)
}
