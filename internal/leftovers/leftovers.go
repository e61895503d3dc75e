// Package leftovers removes what jobs of runners that have died left behind:
// gitlab-runner calls cleanup for every job, unless it is killed itself.
//
// A job is taken for dead only when the runner process that owned it is gone.
// What belongs to a living runner is never touched.
package leftovers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"podman-executor/internal/job"
	"podman-executor/pkg/podman"
)

// ownerFile is the file in a job's directory that names its owner.
const ownerFile = "podman-executor-owner"

// Mark writes the owner into one of a job's directories.
func Mark(dir string, owner job.Owner) error {
	if err := os.WriteFile(filepath.Join(dir, ownerFile), []byte(owner.String()+"\n"), 0o600); err != nil {
		return fmt.Errorf("marking the job's directory: %w", err)
	}
	return nil
}

// Containers removes the containers of jobs whose runner is gone, and those
// with one of the given names: an earlier attempt at the same job. It returns
// the names of what it removed.
func Containers(ctx context.Context, p *podman.Podman, now time.Time, names ...string) ([]string, error) {
	list, err := p.Containers(ctx, job.LabelManaged)
	if err != nil {
		return nil, fmt.Errorf("looking for leftovers: %w", err)
	}
	var ids, removed []string
	for _, c := range list {
		if len(c.Names) == 0 {
			continue
		}
		kept := job.Kept(c.Labels)
		if slices.Contains(names, c.Names[0]) || !kept && dead(c.Labels, now) {
			ids = append(ids, c.ID)
			removed = append(removed, c.Names[0])
		}
	}
	if err := p.Remove(ctx, ids...); err != nil {
		return nil, fmt.Errorf("removing leftovers: %w", err)
	}
	return removed, nil
}

// Networks removes the networks of jobs whose runner is gone, and those with one
// of the given names.
func Networks(ctx context.Context, p *podman.Podman, now time.Time, names ...string) error {
	list, err := p.Networks(ctx, job.LabelManaged)
	if err != nil {
		return fmt.Errorf("looking for leftovers: %w", err)
	}
	for _, n := range list {
		kept := job.Kept(n.Labels)
		if slices.Contains(names, n.Name) || !kept && dead(n.Labels, now) {
			if err := p.RemoveNetworks(ctx, n.Name); err != nil {
				return fmt.Errorf("removing leftovers: %w", err)
			}
		}
	}
	return nil
}

func dead(labels map[string]string, now time.Time) bool {
	owner, err := job.ParseOwner(labels[job.LabelOwner])
	if err != nil {
		return false
	}
	seconds, err := strconv.ParseInt(labels[job.LabelDeadline], 10, 64)
	if err != nil {
		return false
	}
	return owner.Gone(time.Unix(seconds, 0), now)
}

// Directories removes, below parent, the directories that match the pattern,
// belong to this user, and are marked with an owner that is gone.
func Directories(parent, pattern string, now time.Time) error {
	entries, err := os.ReadDir(parent)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("looking for leftovers: %w", err)
	}
	var problems []error
	for _, entry := range entries {
		matches, err := filepath.Match(pattern, entry.Name())
		if err != nil {
			return fmt.Errorf("looking for leftovers: %w", err)
		}
		if dir := filepath.Join(parent, entry.Name()); matches && abandoned(dir, now) {
			problems = append(problems, os.RemoveAll(dir))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("removing leftovers: %w", err)
	}
	return nil
}

func abandoned(dir string, now time.Time) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Getuid() {
		return false
	}
	text, err := os.ReadFile(filepath.Join(dir, ownerFile))
	if err != nil {
		return false
	}
	owner, err := job.ParseOwner(strings.TrimSpace(string(text)))
	if err != nil {
		return false
	}
	// A directory has no deadline: one of another host is that host's affair.
	return owner.Gone(now.Add(time.Hour), now)
}
