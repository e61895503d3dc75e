package images

import (
	"context"
	"errors"
	"slices"
	"time"

	"podman-executor/pkg/podman"
)

// failedTime bounds how long a pull that failed, or was cancelled, is looked after.
const failedTime = 5 * time.Second

// look returns the Look of this storage.
func (f *Finder) look(ctx context.Context) Look {
	return func(name string) (string, error) {
		image, err := f.Podman.Local(ctx, name, podman.Platform{})
		if errors.Is(err, podman.ErrNoImage) {
			return "", nil
		}
		return image.ID, err
	}
}

// everybodys are the images of a repository that is not restricted: they are everybody's,
// and stay so. Where podman does not tell, it is the one that is pulled again, if any.
func (f *Finder) everybodys(ctx context.Context, r Request) ([]string, error) {
	ids, err := f.Podman.RepositoryImages(ctx, r.Repository)
	var late *podman.TimeoutError
	if err == nil || errors.As(err, &late) {
		return ids, err
	}
	id, err := f.look(ctx)(r.Name)
	if err != nil || id == "" {
		// It is somebody else's image that fails, or none is there.
		return nil, ctx.Err()
	}
	return []string{id}, nil
}

// failed takes back the restriction of a pull that has brought nothing: the storage has no
// image of that name, or one that is everybody's. Without that look a job could restrict a
// repository with credentials that are none, and an image that podman has fetched before
// it failed would be everybody's.
func (f *Finder) failed(ctx context.Context, r Request, err error, undo func()) {
	var late *podman.TimeoutError
	if undo == nil || f.Podman.URL != "" && (ctx.Err() != nil || errors.As(err, &late)) {
		// A service may still be at it. Readers will look again.
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failedTime)
	defer cancel()
	id, err := f.look(ctx)(r.Name)
	if err != nil {
		return
	}
	if s, err := f.Readers.read(r.Repository); err == nil && (id == "" || slices.Contains(s.open, id)) {
		undo()
	}
}

// pulled makes the project one that may read the image that it has pulled, unless it may
// without that: then nothing that is not everybody's has come.
func (f *Finder) pulled(ctx context.Context, r Request, image podman.Image, undo func()) error {
	may, err := f.Readers.May(r.Repository, image.ID, f.look(ctx))
	switch {
	case err != nil:
		return err
	case !may:
		return f.Readers.Add(r.Repository)
	case undo != nil:
		undo()
	}
	return nil
}
