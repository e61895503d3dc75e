package source

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Kind says which part of a place is private.
type Kind int

const (
	// Whole places are private with everything in them.
	Whole Kind = iota
	// Home is a directory such as a user's home: itself, its files, and what begins with a
	// dot. Other directories in it may be data.
	Home
	// Scratch is a directory of temporary files: itself, and the files in it that this user can
	// read but not everybody. Other users also have files there.
	Scratch
)

// Place is a directory or file that may be private.
type Place struct {
	Path string
	Kind Kind
}

// Private are places that no job may see.
type Private struct {
	host   *Host
	places []place
}

// place is one of them, by a path without symbolic links.
type place struct {
	Place
	// view is where it is in its file system, below what is mounted in it.
	view  view
	below []view
	// itself and above are the place and the directories above it, as far as they are
	// there.
	itself file
	above  map[file]bool
}

// file identifies a file as the kernel does; the zero file does not exist.
type file struct{ device, inode uint64 }

// Private returns the places that are private on this host: those that this user owns, or that
// it or its groups, but not everybody, can read or write. In a container, root is this user. A
// missing place is private if this user could create it. Each symbolic link that leads to such
// a place is also private: whoever can replace the link controls the place.
func (h *Host) Private(candidates []Place) Private {
	p := Private{host: h}
	known := map[Place]bool{}
	add := func(c Place) {
		if !known[c] && (c.Kind == Scratch || isPrivate(c.Path)) {
			p.places = append(p.places, h.place(c))
		}
		known[c] = true
	}
	for _, c := range candidates {
		if !filepath.IsAbs(c.Path) {
			continue
		}
		end := h.follow(c.Path, nil, func(link string) { add(Place{link, Whole}) })
		if end.Name != "" && end.Name != "/" {
			add(Place{end.Name, c.Kind})
		}
	}
	return p
}

func (h *Host) place(c Place) place {
	p := place{Place: c, view: h.view(c.Path), below: h.below(c.Path), itself: fileOf(c.Path), above: map[file]bool{}}
	for dir := filepath.Dir(c.Path); ; dir = filepath.Dir(dir) {
		if f := fileOf(dir); f != (file{}) {
			p.above[f] = true
		}
		if dir == "/" {
			return p
		}
	}
}

func fileOf(name string) file {
	var stat unix.Stat_t
	if unix.Lstat(name, &stat) != nil {
		return file{}
	}
	return file{stat.Dev, stat.Ino}
}

// Shows reports whether a mount of a path, which has no symbolic links, would show a
// private place, a part of one, or the directory that one is in, by whatever name: a
// bind mount, or a hard link, may give it another.
func (p Private) Shows(name string) bool {
	if p.named(name, p.host.view(name)) {
		return true
	}
	itself, above := fileOf(name), map[file]bool{}
	for dir := filepath.Dir(name); dir != "/"; dir = filepath.Dir(dir) {
		above[fileOf(dir)] = true
	}
	for _, place := range p.places {
		switch {
		case itself != (file{}) && (place.above[itself] || place.itself == itself):
			return true
		case place.Kind == Whole && place.itself != (file{}) && above[place.itself]:
			return true
		}
	}
	return false
}

// Names reports whether a name, as a job has written it, is that of a private place, without
// following it.
func (p Private) Names(name string) bool {
	name = filepath.Clean(name)
	return p.named(name, p.host.mountOf(name).view(name))
}

// named is [Private.Shows] by names and mounts only. first is where the path itself is.
func (p Private) named(name string, first view) bool {
	views := append(p.host.below(name), first)
	for _, place := range p.places {
		if place.covers(place.Path, name) {
			return true
		}
		for _, v := range views {
			if v.device == place.view.device && place.covers(place.view.path, v.path) || place.Kind == Whole && v.meets(place.below) {
				return true
			}
		}
	}
	return false
}

// covers reports whether a mount of a path shows the place, which has the name own among
// such paths.
func (p place) covers(own, name string) bool {
	if within(own, name) {
		return true
	}
	if !within(name, own) {
		return false
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(name, own), "/")
	first, more, _ := strings.Cut(rest, "/")
	entry := filepath.Join(p.Path, first)
	switch p.Kind {
	case Home:
		return strings.HasPrefix(first, ".") || more == "" && !isDir(entry)
	case Scratch:
		return !isDir(entry) || !everybody(entry, 0o005)
	}
	return true
}

func isDir(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.IsDir()
}

// isPrivate reports whether a path, which has no symbolic links above it, belongs to this user
// alone or is shared only with a group.
func isPrivate(name string) bool {
	info, err := os.Lstat(name)
	if err != nil {
		return canBeMade(name)
	}
	if int(info.Sys().(*syscall.Stat_t).Uid) == os.Geteuid() {
		return true
	}
	if info.Mode().Type() == fs.ModeSymlink {
		return canBeMade(name)
	}
	return can(name, unix.R_OK) && !everybody(name, 0o004) || can(name, unix.W_OK) && !everybody(name, 0o002)
}

// canBeMade reports whether this user could put something at a path.
func canBeMade(name string) bool {
	for dir := filepath.Dir(name); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil || dir == "/" {
			return can(dir, unix.W_OK)
		}
	}
}

// can asks the kernel, which takes groups and access control lists into account.
func can(name string, mode uint32) bool {
	return unix.Faccessat(unix.AT_FDCWD, name, mode, unix.AT_EACCESS) == nil
}

// everybody reports whether all users of the machine have those rights to a file, and can
// get to it.
func everybody(name string, rights fs.FileMode) bool {
	info, err := os.Lstat(name)
	if err != nil || info.Mode()&rights != rights {
		return false
	}
	for dir := filepath.Dir(name); ; dir = filepath.Dir(dir) {
		if info, err := os.Lstat(dir); err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		if dir == "/" {
			return true
		}
	}
}
