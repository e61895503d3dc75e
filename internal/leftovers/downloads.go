package leftovers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"podman-executor/pkg/podman"
)

const (
	// downloadAge is how long nothing may have changed in what a pull has downloaded, before it
	// counts as left behind. podman has no file of it open while it waits for the storage, which
	// another podman may lock for as long as it unpacks a layer. It is how long a pull may take,
	// unless the policy has another limit.
	downloadAge = time.Hour
	// maxDownload bounds how many files are looked at in one directory. Images have fewer
	// layers.
	maxDownload = 10000
)

// Names of what podman has in its TMPDIR while it pulls (containers/image
// internal/tmpdir/tmpdir.go and storage/storage_dest.go): podman 4.3.1 has storageNUMBER, 5.4.2
// container_images_storageNUMBER. Other programs may have the first as well.
var (
	ownDownload    = regexp.MustCompile(`\A` + podman.DownloadPrefix + `[0-9]+\z`)
	podmanDownload = regexp.MustCompile(`\Acontainer_images_[A-Za-z0-9._-]+\z`)
	storageOf431   = regexp.MustCompile(`\Astorage[0-9]+\z`)
	layerFile      = regexp.MustCompile(`\A[0-9]+\z`)
)

// Downloads returns what pulls that are over have left in a directory, podman's TMPDIR. podman
// removes it itself, unless a signal ends it. With own, only those are returned that the
// driver's pulls have made; else also those of any other podman of this user. Symbolic links,
// and what belongs to somebody else, are never among them.
func Downloads(dir string, own bool, now time.Time) ([]Orphan, error) {
	if dir == "" {
		return nil, nil
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for what pulls have left: %w", err)
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("looking for what pulls have left: %w", err)
	}
	device, err := root.Stat(".")
	if err != nil {
		return nil, fmt.Errorf("looking for what pulls have left: %w", err)
	}
	var found []Orphan
	for _, entry := range entries {
		name := entry.Name()
		if !ownDownload.MatchString(name) && (own || !podmanDownload.MatchString(name) && !storageOf431.MatchString(name)) {
			continue
		}
		changed, ok := lastChange(root, name, deviceOf(device))
		if ok && now.Sub(changed) >= downloadAge {
			found = append(found, Orphan{Kind: "download", Name: filepath.Join(dir, name), Reason: "its pull is over", Made: changed})
		}
	}
	return withoutOpen(found), nil
}

func deviceOf(info fs.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Dev }

// lastChange returns when anything in a download was changed last. It returns false for what
// does not look like one of this user's: see [Downloads].
func lastChange(root *os.Root, name string, device uint64) (last time.Time, ok bool) {
	files := 0
	err := fs.WalkDir(root.FS(), name, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := root.Lstat(path)
		if err != nil {
			return err
		}
		files++
		if files > maxDownload || !isOurs(info, device) || storageOf431.MatchString(name) && !looksLikeStorage(path, info) {
			return errForeign
		}
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
		return nil
	})
	return last, err == nil
}

var errForeign = errors.New("this is not what a pull leaves")

func isOurs(info fs.FileInfo, device uint64) bool {
	stat := info.Sys().(*syscall.Stat_t)
	return (info.IsDir() || info.Mode().IsRegular()) && int(stat.Uid) == os.Getuid() && stat.Dev == device
}

// looksLikeStorage reports whether a path is a private directory, or one of the layers in it.
func looksLikeStorage(path string, info fs.FileInfo) bool {
	dir, file := filepath.Split(path)
	if dir == "" {
		return info.IsDir() && info.Mode().Perm() == 0o700
	}
	return info.Mode().IsRegular() && layerFile.MatchString(file)
}

// withoutOpen leaves out what a process has open, as far as this user may see that.
func withoutOpen(list []Orphan) []Orphan {
	if len(list) == 0 {
		return nil
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			continue
		}
		list = slices.DeleteFunc(list, func(o Orphan) bool {
			return target == o.Name || strings.HasPrefix(target, o.Name+"/")
		})
	}
	return list
}

// removeDownload removes a download, but nothing that a symbolic link in its place leads to.
func removeDownload(name string) error {
	root, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer root.Close()
	return root.RemoveAll(filepath.Base(name))
}
