// Package teardown removes everything that the plan of a job names.
//
// [Remove] is for a job that is over: cleanup calls it. [Undo] is for a job that does not run:
// prepare calls it when it fails.
//
// Both remove the same things with the same commands of podman, and the job's runtime
// directory last, once everything else is gone: its mark makes the next prepare look for
// what is still there.
package teardown

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"podman-executor/internal/handover"
	"podman-executor/internal/launch"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/pin"
	"podman-executor/internal/plan"
	"podman-executor/internal/remote"
	"podman-executor/internal/secret"
	"podman-executor/internal/slurm"
	"podman-executor/pkg/podman"
)

// Part is one part of what a job leaves.
type Part int

// Containers stands for the containers and the network of a job, Volumes for the pinned
// sources of its volumes, Secrets for its podman secrets, and Files for its directories.
const (
	Containers Part = iota + 1
	Volumes
	Secrets
	Files
)

// Error is the error of a part that could not be removed. It has the text of Err.
type Error struct {
	Part Part
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Connect connects podman to the service that has the job's containers, and returns a
// function that closes the connection: site.Connect is one.
type Connect func(context.Context, podman.Podman, remote.Endpoint) (podman.Podman, func(), error)

const (
	// tries is how often the removal of containers is tried: a step that is still running may
	// start a container at the moment of its removal.
	tries = 3
	// pause is the time between two tries.
	pause = time.Second
)

// Remove removes what a job that is over has left. The launch directory and the credentials are
// removed first, because they need no podman service; pm is connected after that. If the job's
// containers are kept, they are stopped, and stay with what they use.
//
// It stops at the first of containers, volumes and secrets that cannot be removed. Every
// error is an *[Error], except those of connect.
func Remove(ctx context.Context, pm podman.Podman, p plan.Plan, connect Connect) error {
	filesErr := errors.Join(dismissKept(p), removeLaunch(ctx, &pm, p))
	if err := leftovers.Clear(p.AuthDir); err != nil {
		filesErr = errors.Join(filesErr, fmt.Errorf("removing the auth file: %w", err))
	}
	if !p.Keep {
		connected, disconnect, err := connect(ctx, pm, p.Podman.Host())
		if err != nil {
			return err
		}
		defer disconnect()
		if err := removeObjects(ctx, &connected, p); err != nil {
			return err
		}
	}
	if filesErr != nil {
		return failed(Files, filesErr)
	}
	return removeRuntimeDir(p)
}

// Undo removes what was made for a job that does not run, including containers that were to be
// kept. pm must be connected. If a part cannot be removed, Undo goes on with the others. It
// joins the errors, each of which is an *[Error]. Nothing is tried twice.
func Undo(ctx context.Context, pm *podman.Podman, p plan.Plan) error {
	var problems []error
	for _, o := range objects {
		for _, remove := range o.removers {
			problems = append(problems, failed(o.part, remove(ctx, pm, p)))
		}
	}
	problems = append(problems, failed(Files, removeLaunch(ctx, pm, p)))
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return removeRuntimeDir(p)
}

// remover removes one kind of object that a plan names; if the plan names none, it does
// nothing.
type remover func(context.Context, *podman.Podman, plan.Plan) error

// objects are what podman removes, in this order. Remove removes what comes later within
// a part only when what comes before is gone, and tries the whole part that often.
var objects = []struct {
	part     Part
	tries    int
	removers []remover
}{
	{Containers, tries, []remover{removeContainers, removeNetwork}},
	{Volumes, 1, []remover{unpin}},
	{Secrets, 1, []remover{removeSecrets}},
}

// removeObjects removes the objects, up to the first part that cannot be removed.
func removeObjects(ctx context.Context, pm *podman.Podman, p plan.Plan) error {
	for _, o := range objects {
		err := removePart(ctx, pm, p, o.removers)
		for try := 1; try < o.tries && err != nil; try++ {
			time.Sleep(pause)
			err = removePart(ctx, pm, p, o.removers)
		}
		if err != nil {
			return failed(o.part, err)
		}
	}
	return nil
}

func removePart(ctx context.Context, pm *podman.Podman, p plan.Plan, removers []remover) error {
	for _, remove := range removers {
		if err := remove(ctx, pm, p); err != nil {
			return err
		}
	}
	return nil
}

// failed returns the error of a part; nil if err is nil.
func failed(part Part, err error) error {
	if err == nil {
		return nil
	}
	return &Error{part, err}
}

func removeContainers(ctx context.Context, pm *podman.Podman, p plan.Plan) error {
	return pm.Remove(ctx, p.Containers()...)
}

func removeNetwork(ctx context.Context, pm *podman.Podman, p plan.Plan) error {
	if p.Network == "" {
		return nil
	}
	return pm.RemoveNetworks(ctx, p.Network)
}

func unpin(ctx context.Context, pm *podman.Podman, p plan.Plan) error {
	if p.PinDir == "" {
		return nil
	}
	return pin.Undo(ctx, pm, p.PinDir)
}

func removeSecrets(ctx context.Context, pm *podman.Podman, p plan.Plan) error {
	if p.SecretsDir == "" {
		return nil
	}
	return secret.Remove(ctx, pm, p.SecretsDir)
}

// dismissKept ends the processes of containers that are kept.
func dismissKept(p plan.Plan) error {
	if !p.Keep {
		return nil
	}
	var problems []error
	for _, dir := range p.StepsDirs {
		problems = append(problems, handover.Dismiss(dir))
	}
	return errors.Join(problems...)
}

// removeLaunch removes the directory of a launched job, and cancels its job in Slurm if that
// still exists.
func removeLaunch(ctx context.Context, pm *podman.Podman, p plan.Plan) error {
	if p.Launch == nil {
		return nil
	}
	return launch.Remove(ctx, p.Launch.Dir, slurm.Beside(p.Launch.Program, p.Podman.Env), pm)
}

// removeRuntimeDir removes the job's runtime directory with its mark.
func removeRuntimeDir(p plan.Plan) error {
	if err := os.RemoveAll(p.AuthDir); err != nil {
		return failed(Files, fmt.Errorf("removing the job's runtime directory: %w", err))
	}
	return nil
}
