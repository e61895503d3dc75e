package process

import (
	"fmt"
	"os"
	"path/filepath"
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

// IsProgram reports whether a file is regular, and executable for somebody.
func IsProgram(info os.FileInfo) bool {
	return info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
