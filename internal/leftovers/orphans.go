package leftovers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"podman-executor/internal/job"
	"podman-executor/internal/pin"
	"podman-executor/internal/secret"
	"podman-executor/pkg/podman"
)

// Orphan is an object of a finished job.
type Orphan struct {
	// Kind is "container", "network", "volumes", "secrets", "directory" or "download".
	Kind string
	// Name is the object's, or the directory's path.
	Name string
	// Job, Project and Owner are from the object's labels or mark; empty if it has none.
	Job, Project, Owner string
	// Reason is why the job counts as finished.
	Reason string
	// Made is when the object was made; for a directory, when it was last changed.
	Made time.Time

	id string
	// unseen means that its owner's process cannot be seen from here.
	unseen bool
}

// Roots are the directories below which jobs have directories.
type Roots struct {
	// TempDir has the runner's directory for each attempt at a job.
	TempDir string
	// RuntimeDir has the driver's directory for each job, see [Marks].
	RuntimeDir string
	// SecretsDir has the directories of jobs' podman secrets.
	SecretsDir string
	// PullDir has what podman downloads; empty if that is on another machine.
	PullDir string
}

// attemptPattern is the runner's name for the directory of an attempt
// (gitlab-runner executors/custom/custom.go:101).
const attemptPattern = "custom-executor*"

// RemoveAttempts removes the runner's directories of finished jobs.
func (r Roots) RemoveAttempts(now time.Time) error {
	return Directories(r.TempDir, attemptPattern, now)
}

// PinParent returns the parent of the directories with pinned volumes. It is not among the
// directories with auth files, which are removed with everything in them.
func (r Roots) PinParent() string { return r.RuntimeDir + "-volumes" }

// Pinned returns the directories of pinned volumes of finished jobs.
func (r Roots) Pinned(now time.Time) ([]Orphan, error) {
	list, err := OrphanDirectories(r.PinParent(), "*", now)
	for i := range list {
		list[i].Kind = "volumes"
	}
	return list, err
}

// Secrets returns the directories of podman secrets of finished jobs, and own, which an
// earlier attempt at this job has left. Only those of secrets at the endpoint are returned: an
// address as the policy has it, empty for podman on this machine.
func (r Roots) Secrets(endpoint, own string, now time.Time) ([]Orphan, error) {
	list, err := marked(r.SecretsDir, "*", now)
	list = slices.DeleteFunc(list, func(o Orphan) bool {
		return o.Reason == "" && o.Name != own || secret.Service(o.Name) != endpoint
	})
	for i := range list {
		list[i].Kind = "secrets"
	}
	return list, err
}

// Find returns everything of finished jobs: containers, then the networks that they are on,
// their pinned volumes and secrets, then directories, and what pulls have left. endpoint is podman's address as the
// policy has it, empty for podman on this machine. With an error it also returns what it has
// found.
func Find(ctx context.Context, p *podman.Podman, endpoint string, roots Roots, now time.Time) ([]Orphan, error) {
	var found []Orphan
	var problems []error
	add := func(o Orphan, labels map[string]string) {
		if !job.Ours(o.Name, labels) {
			return
		}
		if o.Reason = reason(labels, now); o.Reason != "" {
			o.Job, o.Project, o.Owner = labels[job.LabelJob], labels[job.LabelProject], labels[job.LabelOwner]
			found = append(found, o)
		}
	}
	containers, err := p.Containers(ctx, job.LabelManaged, job.OwnerLabels()...)
	if err != nil {
		problems = append(problems, fmt.Errorf("looking for containers of finished jobs: %w", err))
	}
	for _, c := range containers {
		if len(c.Names) > 0 {
			add(Orphan{Kind: "container", Name: c.Names[0], Made: time.Unix(c.Created, 0), id: c.ID}, c.Labels)
		}
	}
	networks, err := p.Networks(ctx, job.LabelManaged, job.OwnerLabels()...)
	if err != nil {
		problems = append(problems, fmt.Errorf("looking for networks of finished jobs: %w", err))
	}
	for _, n := range networks {
		add(Orphan{Kind: "network", Name: n.Name, Made: n.Created}, n.Labels)
	}
	if len(problems) > 0 {
		// Directories stay: their marks are why the next look asks podman again.
		return found, errors.Join(problems...)
	}
	pinned, err := roots.Pinned(now)
	found, problems = append(found, pinned...), append(problems, err)
	secrets, err := roots.Secrets(endpoint, "", now)
	found, problems = append(found, secrets...), append(problems, err)
	for _, root := range []struct{ parent, pattern string }{{roots.TempDir, attemptPattern}, {roots.RuntimeDir, "*"}} {
		list, err := OrphanDirectories(root.parent, root.pattern, now)
		found, problems = append(found, list...), append(problems, err)
	}
	downloads, err := Downloads(roots.PullDir, false, now)
	return append(found, downloads...), errors.Join(append(problems, err)...)
}

// Remove removes the object. It is not an error if the object is already gone. A network
// stays, with an error, if another container has joined it meanwhile.
func (o Orphan) Remove(ctx context.Context, p *podman.Podman) error {
	var err error
	switch o.Kind {
	case "container":
		// By its id: another container may have the name by now.
		err = p.Remove(ctx, o.id)
	case "network":
		err = p.RemoveUnusedNetwork(ctx, o.Name)
	case "volumes":
		err = pin.Undo(ctx, p, o.Name)
	case "secrets":
		err = secret.Remove(ctx, p, o.Name)
	case "directory":
		err = os.RemoveAll(o.Name)
	case "download":
		err = removeDownload(o.Name)
	}
	if err != nil {
		return fmt.Errorf("removing the %s %s: %w", o.Kind, filepath.Base(o.Name), err)
	}
	return nil
}
