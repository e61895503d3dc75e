// Package leftovers finds and removes orphans: what finished jobs have left behind.
// gitlab-runner calls cleanup for every job, but not if it is killed itself, and cleanup may
// fail.
//
// A job counts as finished only if the runner process that owned it is gone, or has removed
// the directory of the job. Objects of a job that may be running are never touched, whatever
// the clock says: see docs/decisions/0020.
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

// Mark writes the owner into one of a job's directories. attempt is the runner's directory for
// the attempt at the job, empty if dir is that directory.
func Mark(dir string, owner job.Process, attempt string) error {
	text := owner.String() + "\n"
	if attempt != "" {
		text += attempt + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, ownerFile), []byte(text), 0o600); err != nil {
		return fmt.Errorf("marking the job's directory: %w", err)
	}
	return nil
}

// Why a job counts as finished.
const (
	runnerGone   = "its runner is gone"
	pastDeadline = "past its deadline"
	jobFinished  = "its job is over"
)

// Containers removes the containers of finished jobs, and those with one of the given names,
// which an earlier attempt at the same job has left. It returns the names of what it removed,
// and whether a container is left that only its deadline will show to be an orphan: one whose
// owner's process cannot be seen from here.
func Containers(ctx context.Context, p *podman.Podman, now time.Time, names ...string) (removed []string, unseen bool, err error) {
	list, err := p.Containers(ctx, job.LabelManaged, job.OwnerLabels()...)
	if err != nil {
		return nil, false, fmt.Errorf("looking for leftovers: %w", err)
	}
	var ids []string
	for _, c := range list {
		if len(c.Names) == 0 {
			continue
		}
		ours := job.Ours(c.Names[0], c.Labels)
		if slices.Contains(names, c.Names[0]) || ours && reason(c.Labels, now) != "" {
			ids = append(ids, c.ID)
			removed = append(removed, c.Names[0])
		} else if owner, err := job.ParseProcess(c.Labels[job.LabelOwner]); err == nil && ours && !job.Kept(c.Labels) && !owner.Here() {
			unseen = true
		}
	}
	if err := p.Remove(ctx, ids...); err != nil {
		return nil, false, fmt.Errorf("removing leftovers: %w", err)
	}
	return removed, unseen, nil
}

// Networks removes the networks of finished jobs, unless a container that is not the job's is
// on one, and those with one of the given names. If one cannot be removed, the others still are.
func Networks(ctx context.Context, p *podman.Podman, now time.Time, names ...string) error {
	list, err := p.Networks(ctx, job.LabelManaged, job.OwnerLabels()...)
	if err != nil {
		return fmt.Errorf("looking for leftovers: %w", err)
	}
	var problems []error
	for _, n := range list {
		switch {
		case slices.Contains(names, n.Name):
			problems = append(problems, p.RemoveNetworks(ctx, n.Name))
		case job.Ours(n.Name, n.Labels) && reason(n.Labels, now) != "":
			problems = append(problems, p.RemoveUnusedNetwork(ctx, n.Name))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("removing leftovers: %w", err)
	}
	return nil
}

// reason returns why the job of an object with these labels is surely finished; empty if it
// may be running, or if the object is to be kept.
func reason(labels map[string]string, now time.Time) string {
	if job.Kept(labels) {
		return ""
	}
	owner, err := job.ParseProcess(labels[job.LabelOwner])
	if err != nil {
		return ""
	}
	seconds, err := strconv.ParseInt(labels[job.LabelDeadline], 10, 64)
	if err != nil {
		return ""
	}
	switch {
	case owner.Gone(now, now): // whatever its deadline
		return runnerGone
	case owner.Gone(time.Unix(seconds, 0), now):
		return pastDeadline
	case owner.Finished(labels[job.LabelAttempt]):
		return jobFinished
	}
	return ""
}

// Directories removes, below parent, the directories that match the pattern, belong to this
// user, and have the mark of a finished job.
func Directories(parent, pattern string, now time.Time) error {
	list, err := OrphanDirectories(parent, pattern, now)
	if err != nil {
		return err
	}
	var problems []error
	for _, o := range list {
		problems = append(problems, os.RemoveAll(o.Name))
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("removing leftovers: %w", err)
	}
	return nil
}

// OrphanDirectories returns the directories that [Directories] removes.
func OrphanDirectories(parent, pattern string, now time.Time) ([]Orphan, error) {
	list, err := marked(parent, pattern, now)
	return slices.DeleteFunc(list, func(o Orphan) bool { return o.Reason == "" }), err
}

// marked returns the marked directories of this user. Those of finished jobs have a Reason.
func marked(parent, pattern string, now time.Time) ([]Orphan, error) {
	entries, err := os.ReadDir(parent)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("looking for leftovers: %w", err)
	}
	var list []Orphan
	for _, entry := range entries {
		matches, err := filepath.Match(pattern, entry.Name())
		if err != nil {
			return nil, fmt.Errorf("looking for leftovers: %w", err)
		}
		dir := filepath.Join(parent, entry.Name())
		if !matches {
			continue
		}
		if o := directory(dir, now); o.Owner != "" {
			list = append(list, o)
		}
	}
	return list, nil
}

// directory returns a marked directory of this user, with a Reason if its job is finished; of
// any other only the name. A mark has no deadline: the directories of another host are left to
// that host.
func directory(dir string, now time.Time) Orphan {
	o := Orphan{Kind: "directory", Name: dir}
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return o
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Getuid() {
		return o
	}
	text, err := os.ReadFile(filepath.Join(dir, ownerFile))
	if err != nil {
		return o
	}
	line, attempt, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	owner, err := job.ParseProcess(line)
	if err != nil {
		return o
	}
	o.Owner, o.Made, o.unseen = owner.String(), info.ModTime(), !owner.Here()
	switch {
	case owner.Gone(now, now):
		o.Reason = runnerGone
	case owner.Finished(attempt):
		o.Reason = jobFinished
	}
	return o
}
