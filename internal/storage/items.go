package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"podman-executor/internal/job"
	"podman-executor/pkg/podman"
)

// Store is where builds and caches are.
type Store struct {
	Podman *podman.Podman
	// DataDir is the policy's; empty: there are only volumes.
	DataDir string
	Records Records
	// Passed, unless nil, is called with the reason if something is skipped.
	Passed func(error)
}

// recordedDir is the record of a directory below data_dir: internal/job,
// Directories; "chosen" has builds where jobs have chosen a place of their own.
var recordedDir = regexp.MustCompile(`\A(builds|cache|chosen)/(project-(?:[0-9a-f]{12}-)?([0-9]+)(?:-protected)?)\z`)

// Items returns the volumes and directories that have a record, so jobs under this policy have
// used them; others belong to somebody else. Their sizes are not known yet, see [Store.Measure].
func (s Store) Items(ctx context.Context) ([]Item, error) {
	uses, err := s.Records.LastUses()
	if err != nil {
		return nil, err
	}
	items, err := s.volumes(ctx, uses)
	if err != nil || s.DataDir == "" {
		return items, err
	}
	mounts, err := s.mounts(ctx)
	if err != nil {
		return nil, err
	}
	for record, lastUse := range uses {
		parts := recordedDir.FindStringSubmatch(record)
		dir := filepath.Join(s.DataDir, record)
		if info, err := os.Lstat(dir); parts == nil || err != nil || !info.IsDir() {
			continue
		}
		i := Item{
			Kind: "directory", Role: parts[1], Record: record, Name: dir, Dir: dir, Project: parts[3],
			LastUse: lastUse, Size: -1, mount: dir,
		}
		if i.Role == "chosen" {
			i.Role, i.mount = "builds", filepath.Join(s.DataDir, "builds", parts[2])
		}
		i.Used = mounted(mounts, i.mount)
		items = append(items, i)
	}
	return items, nil
}

func (s Store) volumes(ctx context.Context, uses map[string]time.Time) ([]Item, error) {
	all, err := s.Podman.Volumes(ctx, "label="+job.LabelManaged, job.LabelRole, job.LabelProject)
	if err != nil {
		return nil, fmt.Errorf("looking for builds and caches: %w", err)
	}
	idle, err := s.Podman.Volumes(ctx, "dangling=true")
	if err != nil {
		return nil, fmt.Errorf("looking for builds and caches: %w", err)
	}
	unused := map[string]bool{}
	for _, v := range idle {
		unused[v.Name] = true
	}
	var items []Item
	for _, v := range all {
		role := v.Labels[job.LabelRole]
		lastUse, known := uses[v.Name]
		if !known || !job.Ours(v.Name, v.Labels) || !slices.Contains([]string{"builds", "cache", "volume"}, role) {
			continue
		}
		items = append(items, Item{
			Kind: "volume", Role: role, Record: v.Name, Name: v.Name, Dir: v.Mountpoint, Project: v.Labels[job.LabelProject],
			LastUse: lastUse, Size: -1, Used: !unused[v.Name],
		})
	}
	return items, nil
}

// mounts returns the paths below data_dir at which containers of jobs have mounts, running or
// not. Directories below data_dir are mounted at known paths, so these show which are used;
// podman itself knows that only of volumes.
func (s Store) mounts(ctx context.Context) ([]string, error) {
	mounts, err := s.Podman.MountsIn(ctx, job.LabelManaged, s.DataDir)
	if err != nil {
		return nil, fmt.Errorf("looking for the mounts of jobs: %w", err)
	}
	return mounts, nil
}

// mounted reports whether a directory, or one in it, is among mounts.
func mounted(mounts []string, dir string) bool {
	return slices.ContainsFunc(mounts, func(m string) bool { return m == dir || strings.HasPrefix(m, dir+"/") })
}

// Measure sets the sizes of the items that a condition holds for.
func (s Store) Measure(ctx context.Context, items []Item, which func(Item) bool) error {
	var dirs []string
	for _, i := range items {
		if i.Dir != "" && which(i) {
			dirs = append(dirs, i.Dir)
		}
	}
	sizes, err := s.Podman.DiskUsage(ctx, dirs...)
	if err != nil {
		return fmt.Errorf("measuring builds and caches: %w", err)
	}
	for i := range items {
		if size, ok := sizes[items[i].Dir]; ok {
			items[i].Size = size
		}
	}
	return nil
}

// Free removes an item. The error is [ErrInUse] if a job uses it.
func (s Store) Free(ctx context.Context, i Item) error {
	err := s.Records.Free(i.Record, i.LastUse, func() error {
		switch i.Kind {
		case "image":
			return s.freeImage(ctx, i)
		case "volume":
			err := s.Podman.RemoveVolume(ctx, i.Name)
			if errors.Is(err, podman.ErrVolumeInUse) {
				return ErrInUse
			}
			return err
		}
		// Again, now that no job can begin.
		mounts, err := s.mounts(ctx)
		if err != nil {
			return err
		}
		if mounted(mounts, i.mount) {
			return ErrInUse
		}
		return s.Podman.RemoveTree(ctx, i.Dir)
	})
	if err == nil || errors.Is(err, ErrInUse) {
		return err
	}
	if i.Kind == "image" {
		return fmt.Errorf("removing the image %s: %w", i.Name, err)
	}
	return fmt.Errorf("removing the %s of project %s: %w", strings.TrimSpace(i.Role+" "+i.Kind), i.Project, err)
}
