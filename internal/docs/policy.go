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
)

// policyText is what the page says around the tables; they go where tablesMark
// stands.
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

// key is one line of a table.
type key struct{ name, flag, byDefault, meaning string }

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

// isTable tells a struct that stands for a table from one that holds a value.
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
	field := f.Names[0].Name
	meaning, ok := strings.CutPrefix(oneLine(f.Doc), field+" ")
	if !ok {
		r.err = fmt.Errorf("the comment of %s (%s) does not begin with its name", field, path)
	}
	k := key{name: name, meaning: "`" + name + "` " + meaning, flag: "–", byDefault: tag.Get("default")}
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

func (t table) render(page *bytes.Buffer) {
	fmt.Fprintf(page, "### `[%s]`\n\n%s\n\n", t.name, strings.ToUpper(t.doc[:1])+t.doc[1:])
	page.WriteString("| key | podman | default | meaning |\n|---|---|---|---|\n")
	for _, k := range t.keys {
		fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", k.name, cell(k.flag), cell(k.byDefault), cell(k.meaning))
	}
	page.WriteString("\n")
}

// cell keeps a text from ending its cell of a Markdown table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func oneLine(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }

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
