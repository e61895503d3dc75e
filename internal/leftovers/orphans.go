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

// Orphan is an object of a job that is over.
type Orphan struct {
	// Kind is "container", "network", "volumes", "secrets" or "directory".
	Kind string
	// Name is the object's, or the directory's path.
	Name string
	// Job, Project and Owner are as the object bears them; empty where it does not.
	Job, Project, Owner string
	// Reason is why the job is taken for over.
	Reason string
	// Made is when the object was made, of a directory when it was last changed.
	Made time.Time

	id string
	// elsewhere tells that its owner's process cannot be seen from here.
	elsewhere bool
}

// Places are directories that hold those of jobs: TempDir the runner's for each
// attempt at a job, RuntimeDir the driver's: see [Evidence]; SecretsDir those of podman
// secrets.
type Places struct{ TempDir, RuntimeDir, SecretsDir string }

// attemptPattern is the runner's name for the directory of an attempt
// (gitlab-runner executors/custom/custom.go:101).
const attemptPattern = "custom-executor*"

// RemoveAttempts removes the runner's directories of jobs that are over.
func (p Places) RemoveAttempts(now time.Time) error {
	return Directories(p.TempDir, attemptPattern, now)
}

// PinParent is the directory of the directories with pinned volumes: beside the auth
// files, which are removed with whatever is beside them.
func (p Places) PinParent() string { return p.RuntimeDir + "-volumes" }

// Pinned returns the directories of pinned volumes of jobs that are over.
func (p Places) Pinned(now time.Time) ([]Orphan, error) {
	list, err := Over(p.PinParent(), "*", now)
	for i := range list {
		list[i].Kind = "volumes"
	}
	return list, err
}

// Secrets returns the directories of podman secrets of jobs that are over, and own, an
// earlier attempt's, of those that a service has; without an address: podman here.
func (p Places) Secrets(service, own string, now time.Time) ([]Orphan, error) {
	list, err := marked(p.SecretsDir, "*", now)
	list = slices.DeleteFunc(list, func(o Orphan) bool {
		return o.Reason == "" && o.Name != own || secret.Service(o.Name) != service
	})
	for i := range list {
		list[i].Kind = "secrets"
	}
	return list, err
}

// Find returns everything of jobs that are over: containers, then the networks
// that they are on, their pinned volumes and secrets, then directories. service is podman's
// address as the policy has it. With an error it returns what it has found all the same.
func Find(ctx context.Context, p *podman.Podman, service string, places Places, now time.Time) ([]Orphan, error) {
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
		// The marks tell the next look that there may be containers.
		return found, errors.Join(problems...)
	}
	pinned, err := places.Pinned(now)
	found, problems = append(found, pinned...), append(problems, err)
	secrets, err := places.Secrets(service, "", now)
	found, problems = append(found, secrets...), append(problems, err)
	for _, place := range []struct{ parent, pattern string }{{places.TempDir, attemptPattern}, {places.RuntimeDir, "*"}} {
		list, err := Over(place.parent, place.pattern, now)
		found, problems = append(found, list...), append(problems, err)
	}
	return found, errors.Join(problems...)
}

// Remove removes it. One that is gone by now is not an error; a network that some
// other container has joined meanwhile stays, and that is one.
func (o Orphan) Remove(ctx context.Context, p *podman.Podman) error {
	var err error
	switch o.Kind {
	case "container":
		// By its id: the name may be another's by now.
		err = p.Remove(ctx, o.id)
	case "network":
		err = p.RemoveUnusedNetwork(ctx, o.Name)
	case "volumes":
		err = pin.Undo(ctx, p, o.Name)
	case "secrets":
		err = secret.Remove(ctx, p, o.Name)
	case "directory":
		err = os.RemoveAll(o.Name)
	}
	if err != nil {
		return fmt.Errorf("removing the %s %s: %w", o.Kind, filepath.Base(o.Name), err)
	}
	return nil
}
