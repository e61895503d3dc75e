// Package source examines what jobs ask to have mounted: where the path of a volume's source
// leads on this host, and whether it shows what jobs must not see.
package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks is how many symbolic links a path may lead over (path_resolution(7)).
const maxLinks = 40

// Path is where a name leads.
type Path struct {
	// Name has no symbolic links; empty if it cannot be found out. Missing components keep
	// their names.
	Name string
	// Missing reports whether it does not exist.
	Missing bool
	// Info describes the file; nil if there is none.
	Info fs.FileInfo
}

// Resolve follows the symbolic links of an absolute path. On a file system that may not answer,
// such as a network file system, it looks only at paths for which may returns true: those that
// are, or lead to, what the policy could allow.
func (h *Host) Resolve(name string, may func(path string) bool) Path {
	p := h.follow(name, may, nil)
	if p.Name != "" && p.Info == nil && !p.Missing {
		// The path is the root.
		info, err := os.Lstat(p.Name)
		if err != nil {
			return Path{}
		}
		p.Info = info
	}
	return p
}

// follow is [Host.Resolve], and calls seen for each symbolic link on the way, with a path that
// has no links above it.
func (h *Host) follow(name string, may func(string) bool, seen func(link string)) Path {
	at := Path{Name: "/"}
	links := 0
	for rest := name; rest != ""; {
		var component string
		component, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		switch component {
		case "", ".":
			continue
		case "..":
			if at.Missing {
				return Path{}
			}
			at = Path{Name: filepath.Dir(at.Name)}
			continue
		}
		next := filepath.Join(at.Name, component)
		if at.Missing {
			at.Name = next
			continue
		}
		if may != nil && !h.answers(next) && !may(next) {
			return Path{}
		}
		info, err := os.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			at = Path{Name: next, Missing: true}
			continue
		case err != nil:
			return Path{}
		case info.Mode().Type() != fs.ModeSymlink:
			at = Path{Name: next, Info: info}
			continue
		}
		if seen != nil {
			seen(next)
		}
		target, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return Path{}
		}
		if filepath.IsAbs(target) {
			at = Path{Name: "/"}
		}
		rest = target + "/" + rest
	}
	return at
}
