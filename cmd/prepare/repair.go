package main

import (
	"context"
	"errors"
	"slices"

	"github.com/containers/common/pkg/config"

	"podman-executor/internal/fault"
	"podman-executor/internal/images"
	"podman-executor/internal/spec"
	"podman-executor/internal/storage"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// ofImage is an error of making a container, with the ID of its image.
type ofImage struct {
	error
	id string
}

func (e ofImage) Unwrap() error { return e.error }

// repair repairs what made a job fail, if the driver can: then the job is worth another try.
func repair(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, err error) bool {
	found, _ := fault.Of(err)
	switch found.Name {
	case fault.DamagedImage:
		return repairImage(ctx, in, pm, f, err)
	case fault.Locks:
		return freeLocks(ctx, in, pm, f)
	}
	return false
}

// repairImage removes the image that a container could not be made from because it is damaged in
// podman's storage, as a loss of power or a killed pull leaves it. It reports whether that helps:
// whether the job may pull the image again, and no other container uses it.
func repairImage(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, err error) bool {
	var damaged ofImage
	if !errors.As(err, &damaged) {
		return false
	}
	w, ok := wantedByID(ctx, pm, f, damaged.id)
	if !ok || !pulls(w.pull) || images.IsLocalhost(w.name.String()) {
		return false
	}
	// podman itself repairs a lost link, and the command that has found it fails (4.3.1).
	tried := pm.TryImage(ctx, damaged.id)
	return tried == nil || tellsDamage(tried) && removeDamaged(ctx, in, pm, w.name.String(), damaged.id, err)
}

// tellsDamage reports whether an error says that an image is damaged. The words can be the job's,
// such as a registry's or those of an entry point: before an image is removed, podman has to say
// the same when nothing of the job has a say, see [podman.Podman.TryImage].
func tellsDamage(err error) bool {
	found, _ := fault.Of(err)
	return found.Name == fault.DamagedImage
}

// removeDamaged removes an image that is damaged, and says so in both logs. It reports whether it
// has.
func removeDamaged(ctx context.Context, in inputs, pm *podman.Podman, name, id string, err error) bool {
	store := storage.Store{Podman: pm, Records: storage.RecordsIn(in.stateDir)}
	if removeErr := store.FreeImage(ctx, id); removeErr != nil {
		in.log.WithError(removeErr).Warn("removing the damaged image " + name)
		return false
	}
	in.call.Warn("the image %s is damaged in podman's storage; it is removed and pulled again: %v", name, err)
	in.log.WithError(err).Warn("removed the damaged image " + name)
	return true
}

// locksToFree is how many of podman's locks are freed when all are used up: one for each volume.
// The 2,048 that podman has by default then last for some more jobs.
const locksToFree = 32

// freeLocks removes volumes of builds that were unused longest, each of which has one of podman's
// locks. It reports whether there were any.
func freeLocks(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts) bool {
	// The words of an error may be the job's. And another job may have freed some.
	if found, _ := fault.Of(pm.TryLock(ctx)); found.Name != fault.Locks {
		return false
	}
	store := storage.Store{Podman: pm, Records: storage.RecordsIn(in.stateDir)}
	items, err := store.Items(ctx)
	if err != nil {
		in.log.WithError(err).Warn("looking for volumes to remove, since podman's locks are used up")
		return false
	}
	own := spec.Volumes(f)
	items = slices.DeleteFunc(items, func(i storage.Item) bool {
		return slices.ContainsFunc(own, func(v podman.NewVolume) bool { return v.Name == i.Name })
	})
	freed := 0
	for _, i := range storage.IdleBuilds(items, locksToFree) {
		if err := store.Free(ctx, i); err != nil {
			in.log.WithError(err).Warn("removing a volume, since podman's locks are used up")
			continue
		}
		in.log.Warn("removed the volume " + i.Name + ": podman's locks are used up")
		freed++
	}
	if freed > 0 {
		in.call.Warn("podman's locks are used up, one for each volume and container; builds that were unused longest are removed: %d", freed)
	}
	return freed > 0
}

// wantedByID returns the image of the job that podman has under that ID.
func wantedByID(ctx context.Context, pm *podman.Podman, f spec.Facts, id string) (imageWanted, bool) {
	for _, w := range imagesWanted(f.Grant, spec.Plan(f)) {
		if image, err := pm.Local(ctx, w.name.String(), podman.Platform(w.platform)); err == nil && image.ID == id {
			return w, true
		}
	}
	return imageWanted{}, false
}

// pulls reports whether one of the policies asks registries.
func pulls(policies policy.PullPolicies) bool {
	return slices.ContainsFunc(policies, func(p config.PullPolicy) bool { return p != config.PullPolicyNever })
}
