package preflight

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
)

// Room is what a file system has left, and what kind it is.
type Room struct {
	// Bytes is how many bytes an ordinary user can still write.
	Bytes int64
	// Inodes is how many more files it can have, AllInodes how many in all; 0 in all if it has no
	// fixed number, such as btrfs.
	Inodes, AllInodes int64
	// Type is its magic number (statfs(2)).
	Type int64
}

// ReadRoom reads the file system of a directory, which need not exist yet.
func ReadRoom(dir string) (Room, error) {
	var fs syscall.Statfs_t
	for {
		err := syscall.Statfs(dir, &fs)
		if err == nil {
			return Room{Bytes: int64(fs.Bavail) * fs.Bsize, Inodes: int64(fs.Ffree), AllInodes: int64(fs.Files), Type: int64(fs.Type)}, nil
		}
		if err != syscall.ENOENT || dir == "/" {
			return Room{}, fmt.Errorf("checking the free space of %s: %w", dir, err)
		}
		dir = filepath.Dir(dir)
	}
}

// fewInodes reports whether there are so few inodes that the next image, or the next checkout,
// may not fit: fewer than 10,000, and fewer than 5 % of all.
func (r Room) fewInodes() bool {
	return r.AllInodes > 0 && r.Inodes < min(10_000, r.AllInodes/20)
}

// little is the free space, in bytes, below which the table warns if no limit is set: most
// images do not fit.
const little = 1 << 30

// Space checks that there is enough room in a directory; least is 0 if no limit is set, in bytes.
// With a limit, too few inodes are an error as well: a file system without inodes is as full as
// one without space.
func Space(dir string, room Room, least int64) Result {
	r := Result{Check: "free space", Detail: fmt.Sprintf("%d MB in %s", room.Bytes/1e6, dir)}
	switch {
	case least > 0 && room.Bytes < least:
		r.Level = Error
		r.Detail = fmt.Sprintf("only %d MB are free in %s; general.min_free_space requires %d MB", room.Bytes/1e6, dir, least/1e6)
	case room.fewInodes():
		r.Level = Warning
		if least > 0 {
			r.Level = Error
		}
		r.Detail = fmt.Sprintf("only %d of %d inodes are free in %s", room.Inodes, room.AllInodes, dir)
		r.Hint = "remove files there: `df -i` shows the inodes, `du --inodes` where the files are; builds and caches of many small files use them up"
		return r
	case least == 0 && room.Bytes < little:
		r.Level = Warning
	default:
		return r
	}
	r.Hint = "free space there: `podman system df` shows what images and volumes use"
	return r
}

// Magic numbers of file systems (statfs(2), linux/magic.h).
const (
	tmpfs = 0x01021994
	ramfs = 0x858458f6
)

// networked are the file systems on which locks may fail, or wait for another machine.
var networked = map[int64]string{
	0x6969: "NFS", 0xff534d42: "CIFS", 0xfe534d42: "SMB", 0x0bd00bd0: "Lustre", 0x19830326: "BeeGFS", 0x47504653: "GPFS",
	0x5346414f: "AFS", 0x00c36400: "Ceph", 0x65735546: "FUSE",
}

// Networked warns of a directory that needs locks, or that podman's storage is in, on a file
// system of the network. what says what the directory is, such as general.state_dir.
func Networked(what, dir string, room Room) (Result, bool) {
	kind := networked[room.Type&0xffffffff]
	if kind == "" {
		return Result{}, false
	}
	return Result{
		Check: "file systems", Level: Warning,
		Detail: fmt.Sprintf("%s, %s, is on %s, where locks may fail or hang", what, dir, kind),
		Hint:   "move it to a disk of this machine",
	}, true
}

// Least room in the runtime directory: podman writes some kilobytes, and some twenty files, for
// each container.
const (
	leastRuntimeBytes  = 256 << 10
	leastRuntimeInodes = 100
	littleRuntime      = 8 << 20
	fewRuntimeInodes   = 2000
)

// InMemory warns of a runtime directory on a disk: podman takes what is there for its state since
// the machine was started.
func InMemory(dir string, room Room) (Result, bool) {
	if kind := room.Type & 0xffffffff; kind == tmpfs || kind == ramfs {
		return Result{}, false
	}
	return Result{
		Check: "XDG_RUNTIME_DIR", Level: Warning,
		Detail: fmt.Sprintf("XDG_RUNTIME_DIR, %s, is on a disk: after a restart of the machine podman believes that containers still run", dir),
		Hint:   "set XDG_RUNTIME_DIR in gitlab-runner's environment to a directory on a tmpfs, such as /run/user/UID (`loginctl enable-linger`)",
	}, true
}

// RuntimeRoom checks the file system of the runtime directory. It is a tmpfs of its own, so it may
// be full while every disk has space; podman 5.0 to 5.4.0 leaves a directory there for each
// container.
func RuntimeRoom(dir string, room Room) Result {
	r := Result{Check: "XDG_RUNTIME_DIR", Detail: dir}
	limited := room.AllInodes > 0
	switch {
	case room.Bytes < leastRuntimeBytes, limited && room.Inodes < leastRuntimeInodes:
		r.Level = Error
	case room.Bytes < littleRuntime, limited && room.Inodes < fewRuntimeInodes:
		r.Level = Warning
	default:
		return r
	}
	left := []string{fmt.Sprintf("%d kB", room.Bytes/1000)}
	if limited {
		left = append(left, fmt.Sprintf("%d inodes", room.Inodes))
	}
	r.Detail = fmt.Sprintf("XDG_RUNTIME_DIR, %s, has only %s left", dir, strings.Join(left, " and "))
	r.Hint = fmt.Sprintf("remove files there that nobody uses (`du -s --inodes %s/*`), or enlarge it: RuntimeDirectorySize and RuntimeDirectoryInodesMax in logind.conf(5)", dir)
	return r
}
