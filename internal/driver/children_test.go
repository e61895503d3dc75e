package driver

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// children are the functions of this module that start a process, each with why no variable
// of a job is in its environment. What the scripts below cmd/ see of it they check
// themselves: see drivertest/children.go.
var children = map[string]string{
	"pkg/podman/exec.go command":           "Podman.Env alone, from podman.Environment",
	"internal/remote/ssh.go ssh":           "a fixed list: TestEnvironmentOfSSH",
	"internal/slurm/slurm.go output":       "Slurm.Env alone, which is podman's",
	"internal/launch/attached.go Attached": "Launcher.Env alone: podman's, and the container's name",
	"internal/launch/batch.go Batch":       "Launcher.Env alone: podman's, and the container's name",
	"internal/step/host.go Run":            "Host.Env alone: podman's, with the directory of gitlab-runner on PATH",
}

// TestChildren: no other function starts a process, and each of them sets its environment:
// os/exec passes on the program's own, with all variables of the job, where it is nil.
func TestChildren(t *testing.T) {
	const root = "../.."
	seen := map[string]bool{}
	for _, dir := range []string{"cmd", "internal", "pkg"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "/drivertest/") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				return err
			}
			below, err := filepath.Rel(root, name)
			for _, function := range starting(file) {
				key := below + " " + function.Name.Name
				seen[key] = true
				if _, ok := children[key]; !ok {
					t.Errorf("%s starts a process: say in this test why no variable of a job is in its environment", key)
				}
				if !setsEnvironment(function) {
					t.Errorf("%s does not set the environment of what it starts", key)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for key := range children {
		if !seen[key] {
			t.Errorf("%s starts no process", key)
		}
	}
}

// starters are the functions that start a process, or prepare one, by import path.
var starters = map[string][]string{
	"os/exec": {"Command", "CommandContext", "Cmd"}, "os": {"StartProcess"},
	"syscall": {"Exec", "ForkExec", "StartProcess"}, "golang.org/x/sys/unix": {"Exec", "ForkExec"},
}

// starting returns the functions of a file that start a process.
func starting(file *ast.File) (list []*ast.FuncDecl) {
	packages := map[string][]string{}
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		name := filepath.Base(path)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		packages[name] = starters[path]
	}
	for _, decl := range file.Decls {
		starts := false
		ast.Inspect(decl, func(n ast.Node) bool {
			var called ast.Expr
			switch n := n.(type) {
			case *ast.CallExpr:
				called = n.Fun
			case *ast.CompositeLit:
				called = n.Type
			}
			if s, ok := called.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && slices.Contains(packages[x.Name], s.Sel.Name) {
					starts = true
				}
			}
			return true
		})
		if !starts {
			continue
		}
		function, ok := decl.(*ast.FuncDecl)
		if !ok {
			function = &ast.FuncDecl{Name: ast.NewIdent(fmt.Sprintf("at %d", decl.Pos()))}
		}
		list = append(list, function)
	}
	return list
}

// setsEnvironment reports whether a function assigns the field Env of a variable, and never
// uses the program's own environment.
func setsEnvironment(function *ast.FuncDecl) bool {
	sets, own := false, false
	ast.Inspect(function, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			own = own || n.Sel.Name == "Environ"
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if s, ok := left.(*ast.SelectorExpr); ok && s.Sel.Name == "Env" && len(n.Lhs) == len(n.Rhs) {
					value, isName := n.Rhs[i].(*ast.Ident)
					sets = !isName || value.Name != "nil"
				}
			}
		}
		return true
	})
	return sets && !own
}
