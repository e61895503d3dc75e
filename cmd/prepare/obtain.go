package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"podman-executor/internal/driver"
	"podman-executor/internal/plan"
	"podman-executor/internal/site"
	"podman-executor/internal/spec"
	"podman-executor/internal/storage"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
)

// obtained is what exists before the first container is created.
type obtained struct {
	// runner is the zero Image with step_script_only.
	runner, user podman.Image
	services     []podman.Image
	// held keeps images, builds and cache from being freed until containers use them.
	held *storage.Held
}

// obtain resolves the job's images and makes sure that its volumes exist, both at the same
// time, since neither needs the other. An error about an image is reported first, since a job's
// author can fix that. With an error, obtain also returns what it holds by then.
func obtain(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan, native podman.Platform) (obtained, error) {
	have := obtained{held: &storage.Held{}}
	var volumesError error
	var volumes sync.WaitGroup
	volumes.Go(func() { volumesError = makeVolumes(ctx, in, pm, f, have.held) })
	err := findImages(ctx, in, pm, f, p, native, &have)
	volumes.Wait()
	if err == nil {
		err = volumesError
	}
	return have, err
}

// makeVolumes makes sure that the job's volumes, builds and cache exist, and holds them.
func makeVolumes(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, held *storage.Held) error {
	volumes := spec.Volumes(f)
	for _, v := range volumes {
		if err := hold(ctx, in, v.Name, held); err != nil {
			return err
		}
	}
	if err := pm.EnsureVolumes(ctx, volumes...); err != nil {
		return site.Judge(fmt.Errorf("creating the job's volumes: %w", err), "", runAsRunner(pm, "volume ls"))
	}
	dataDir, data := in.policy.General.DataDir, f.Data()
	if dataDir == "" {
		return nil
	}
	for _, record := range []string{data.Builds.Record, data.Cache.Record} {
		if err := hold(ctx, in, record, held); err != nil {
			return err
		}
	}
	for _, dir := range []string{data.Builds.Source, data.Cache.Source} {
		if err := makePrivate(dataDir, dir); err != nil {
			return &driver.Fault{
				Err:  fmt.Errorf("creating the directories for builds and cache: %w", err),
				Hint: writableHint(in.policy, "data_dir"),
			}
		}
	}
	return nil
}

// hold records that the job uses a volume, or a directory below data_dir, and keeps it from
// being freed until it is released, once the job's containers use it.
func hold(ctx context.Context, in inputs, name string, held *storage.Held) error {
	release, err := storage.RecordsIn(in.stateDir).Hold(ctx, name)
	if err != nil {
		return recordsFault(in.policy, err)
	}
	held.Add(release)
	return nil
}

// makePrivate makes a directory below data_dir. The directory is writable for every user of the
// job's images; those above it are closed to everybody else on the host. None of them may be a
// symbolic link, which podman would follow, or belong to somebody else.
func makePrivate(dataDir, dir string) error {
	below, err := filepath.Rel(dataDir, dir)
	if err != nil || !filepath.IsLocal(below) {
		return fmt.Errorf("%s is not below %s", dir, dataDir)
	}
	owner := trust.Self()
	if err := trust.MakeDir(dataDir, owner); err != nil {
		return err
	}
	made, err := trust.MakeOwn(dataDir, below, owner)
	if err != nil {
		return err
	}
	defer made.Close()
	return os.Chmod(trust.InHandle(made), 0o777)
}
