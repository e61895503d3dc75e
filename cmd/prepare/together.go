package main

import (
	"context"
	"sync"

	"podman-executor/pkg/podman"
)

// imagesAndVolumes resolves the job's images, and makes sure of its volumes, both at
// the same time: neither needs the other. What is wrong with an image comes first:
// that is what a job's author can mend.
func (s *preparation) imagesAndVolumes(ctx context.Context, native podman.Platform) (jobImages, error) {
	var volumesError error
	var volumes sync.WaitGroup
	volumes.Go(func() { volumesError = s.volumes(ctx) })
	images, err := s.images(ctx, native)
	volumes.Wait()
	if err == nil {
		err = volumesError
	}
	return images, err
}

// releases are what lets go of records that were made at the same time.
type releases struct {
	mutex sync.Mutex
	list  []func()
}

func (r *releases) add(release func()) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.list = append(r.list, release)
}

func (r *releases) all() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, release := range r.list {
		release()
	}
	r.list = nil
}
