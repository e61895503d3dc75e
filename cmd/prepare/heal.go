package main

import (
	"context"
	"errors"
	"slices"

	"github.com/containers/common/pkg/config"

	"podman-executor/internal/fault"
	"podman-executor/internal/images"
	"podman-executor/internal/spec"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// ofImage is an error of making a container, with the ID of its image.
type ofImage struct {
	error
	id string
}

func (e ofImage) Unwrap() error { return e.error }

// heal removes the image that a container of the job could not be made from because it is damaged
// in podman's storage, as a loss of power or a killed pull leaves it. It reports whether that
// helps: whether the job may pull the image again, and no other container uses it.
func heal(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, err error) bool {
	var damaged ofImage
	if found, ok := fault.Of(err); !ok || found.Name != fault.DamagedImage || !errors.As(err, &damaged) {
		return false
	}
	w, ok := wantedByID(ctx, pm, f, damaged.id)
	if !ok || !pulls(w.pull) || images.IsLocalhost(w.name.String()) {
		return false
	}
	// It may have any number of names.
	if removeErr := pm.RemoveImage(ctx, podman.StoredImage{ID: damaged.id, Names: make([]string, 2)}); removeErr != nil {
		in.log.WithError(removeErr).Warn("removing the damaged image " + w.name.String())
		return false
	}
	in.call.Warn("the image %s is damaged in podman's storage; it is removed and pulled again: %v", w.name, err)
	in.log.WithError(err).Warn("removed the damaged image " + w.name.String())
	return true
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
