package images

import (
	"context"
	"errors"
	"slices"
	"time"

	"podman-executor/pkg/podman"
)

// failedTime bounds the work after a pull that failed or was cancelled.
const failedTime = 5 * time.Second

// look returns the [Look] of this storage.
func (f *Finder) look(ctx context.Context) Look {
	return func(name string) (string, error) {
		image, err := f.Podman.Local(ctx, name, podman.Platform{})
		if errors.Is(err, podman.ErrNoImage) {
			return "", nil
		}
		return image.ID, err
	}
}

// everybodys returns the images of a repository that is not restricted yet: they are
// everybody's, and stay so. If podman cannot list them, it returns only the image that is about
// to be pulled again, if any.
func (f *Finder) everybodys(ctx context.Context, r Request) ([]string, error) {
	ids, err := f.Podman.RepositoryImages(ctx, r.Repository)
	var late *podman.TimeoutError
	if err == nil || errors.As(err, &late) {
		return ids, err
	}
	id, err := f.look(ctx)(r.Name)
	if err != nil || id == "" {
		// Somebody else's image fails, or there is none.
		return nil, ctx.Err()
	}
	return []string{id}, nil
}

// failed takes back the restriction of a pull that has brought nothing, which it checks: the
// storage has no image of that name, or one that is everybody's. Never taking it back would let
// a job restrict a repository with invalid credentials; taking it back without the check would
// give everybody an image that podman fetched before it failed.
func (f *Finder) failed(ctx context.Context, r Request, err error, undo func()) {
	var late *podman.TimeoutError
	if undo == nil || f.Podman.URL != "" && (ctx.Err() != nil || errors.As(err, &late)) {
		// A service may still be pulling. Readers will check again.
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

// pulled lets the project read the repository after a pull. If the project may read the image
// anyway, the pull has brought nothing restricted, and the restriction is taken back.
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
