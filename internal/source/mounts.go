package source

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mount is one line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
type mount struct {
	id uint64
	// device is that of the file system, root the path in it that is mounted at point.
	device, root, point string
	kind                string
}

// Host is the mount table of this process's mount namespace.
type Host struct{ mounts []mount }

// Look reads the mount table.
func Look() (*Host, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts of this machine: %w", err)
	}
	return &Host{mounts: parseMounts(string(text))}, nil
}

func parseMounts(text string) []mount {
	var mounts []mount
	for line := range strings.Lines(text) {
		before, after, _ := strings.Cut(line, " - ")
		fields, more := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(more) < 1 {
			continue
		}
		id, err := strconv.ParseUint(fields[0], 10, 64)
		if err != nil {
			continue
		}
		m := mount{id: id, device: fields[2], root: unescaped(fields[3]), point: unescaped(fields[4]), kind: more[0]}
		if strings.HasPrefix(m.kind, "nfs") {
			// The NFS client reports "/" for each directory that it mounts, and one device for
			// several (Linux fs/nfs/super.c, nfs_show_path).
			m.device = "mount " + fields[0]
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// unescaped undoes what the kernel does with blanks and backslashes: `\040`.
func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// mountOf returns the mount that a path is on, by its name alone, without touching its file
// system.
func (h *Host) mountOf(name string) (found mount) {
	for _, m := range h.mounts {
		// Of several mounts at one place, the last is on top.
		if within(name, m.point) && len(m.point) >= len(found.point) {
			found = m
		}
	}
	return found
}

// local are file systems that answer, or fail, at once. A path on any other may mount
// what its name says (autofs), or wait for a server that is down.
var local = map[string]bool{
	"bcachefs": true, "btrfs": true, "devtmpfs": true, "erofs": true, "exfat": true, "ext2": true, "ext3": true, "ext4": true,
	"f2fs": true, "iso9660": true, "jfs": true, "overlay": true, "proc": true, "ramfs": true, "reiserfs": true, "rootfs": true,
	"squashfs": true, "sysfs": true, "tmpfs": true, "udf": true, "vfat": true, "xfs": true, "zfs": true,
}

// answers reports whether the file system at a path answers at once. The root's always counts
// as answering.
func (h *Host) answers(name string) bool {
	m := h.mountOf(name)
	return m.point == "/" && m.kind != "autofs" || local[m.kind]
}

// view is a place in a file system, independent of its name in the tree of mounts.
type view struct{ device, path string }

// view returns where a path, which has no symbolic links, is in its file system. The missing
// part of a path is added by name.
func (h *Host) view(name string) view {
	on := h.mountOf(name)
	// A mount may be hidden by one above it: the kernel knows.
	for there := name; ; there = filepath.Dir(there) {
		var stat unix.Statx_t
		err := unix.Statx(unix.AT_FDCWD, there, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT|unix.AT_STATX_DONT_SYNC, unix.STATX_MNT_ID, &stat)
		if err == nil {
			for _, m := range h.mounts {
				if stat.Mask&unix.STATX_MNT_ID != 0 && m.id == stat.Mnt_id && within(name, m.point) {
					on = m
				}
			}
			break
		}
		if there == "/" {
			break
		}
	}
	return on.view(name)
}

// view returns where a path on the mount is in its file system.
func (m mount) view(name string) view {
	return view{m.device, filepath.Join(m.root, strings.TrimPrefix(name, strings.TrimSuffix(m.point, "/")))}
}

// meets reports whether one of the places is in this one, or this in it.
func (v view) meets(places []view) bool {
	return slices.ContainsFunc(places, func(p view) bool {
		return p.device == v.device && (within(p.path, v.path) || within(v.path, p.path))
	})
}

// pins is the directory in which the driver mounts volumes of jobs. Jobs may see these.
const pins = "/podman-executor-volumes/"

// below returns what is mounted below a path, which a mount of the path also shows.
func (h *Host) below(name string) []view {
	var list []view
	for _, m := range h.mounts {
		if m.point != name && within(m.point, name) && !strings.Contains(m.point, pins) {
			list = append(list, view{m.device, m.root})
		}
	}
	return list
}

// within reports whether a clean path is another, or lies below it.
func within(name, root string) bool {
	below, ok := strings.CutPrefix(name, strings.TrimSuffix(root, "/"))
	return name == root || ok && strings.HasPrefix(below, "/")
}
