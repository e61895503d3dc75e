package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// LookPath finds a program on the given PATH; for this program's own PATH use [exec.LookPath].
// A program is a file that somebody may execute.
func LookPath(path, name string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		program := filepath.Join(dir, name)
		if info, err := os.Stat(program); err == nil && IsProgram(info) {
			return program, nil
		}
	}
	return "", fmt.Errorf("%s not found in %s", name, path)
}

// OnPath reports whether a program is on the PATH of an environment, NAME=value.
func OnPath(env []string, name string) bool {
	for _, v := range env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			if _, err := LookPath(path, name); err == nil {
				return true
			}
		}
	}
	return false
}

// IsProgram reports whether a file is regular, and executable for somebody.
func IsProgram(info os.FileInfo) bool {
	return info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
