// Package images finds the images of one job: in the local storage or in their
// registries, by the pull policies that the job may have.
//
// The storage is shared by all jobs of a user, so it keeps images that only some
// projects may read: see [Readers]. Jobs that pull from one repository at the same
// time take turns, see [Lock].
package images

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/containers/common/pkg/config"

	"podman-executor/pkg/podman"
)

const (
	// tries is how often a pull is tried if it fails for a reason that may pass soon. The
	// runner tries prepare as a whole three times (gitlab-runner common/build.go:1356).
	tries = 3
	// pause is the shortest time between the first two tries. It doubles each time, and up to
	// as much again is added at random.
	pause = time.Second
)

// ErrNotReadable is the error of an image of the local storage that only other
// projects are known to be allowed to read.
var ErrNotReadable = errors.New("the image in the local storage was pulled with credentials of other projects, and only its registry can say whether this project may read it")

// ErrLocalhost is the error of an image below localhost/ that would have to be pulled. podman
// gives that name to images that were built or imported on this host.
var ErrLocalhost = errors.New("no registry has images of localhost/, it is podman's name for images that were built on this host")

// IsLocalhost reports whether no registry has an image of that name. A registry on this host is
// named with its port.
func IsLocalhost(name string) bool { return strings.HasPrefix(name, "localhost/") }

// Finder finds the images of one job.
type Finder struct {
	Podman *podman.Podman
	// AuthFile writes the credentials for a pull from that repository and
	// returns the file's name, and whether one of them is for the repository.
	AuthFile func(repository string) (file string, matches bool, err error)
	Readers  Readers
	// Locks is the directory of the locks, see [Lock].
	Locks string
	// Native is the machine's platform; the zero Platform: not known.
	Native podman.Platform
	// Pulled, if set, is called for images that were pulled but are of no use to the job. They
	// stay in the storage.
	Pulled func(id string)
	// Repair, if set, is called for an image that was pulled and that podman cannot look at. A pull
	// adds only what is missing by podman's lists, so an image that was damaged before still is.
	// It reports whether it has removed the image.
	Repair func(ctx context.Context, name, id string, err error) bool
	// Note and Warn print a line for the job's author.
	Note, Warn func(format string, args ...any)
	// Detail, if set, prints a line about something that takes long, below a header; of is what
	// it is about. EndDetails is called when that is over.
	Detail     func(of, header, text string)
	EndDetails func(of string)

	// seen are the images that [Finder.Look] has found, by name.
	seen map[string]podman.Image
}

// Look looks up the images of several requests at once, if their first pull policy begins with
// the local storage. If all are there, that takes one podman command, and [Finder.Find] uses
// the result. If an image is missing, or podman fails for one of them, nothing is found: then
// Find asks for each, and its error names the image.
func (f *Finder) Look(ctx context.Context, requests ...Request) error {
	var names []string
	for _, r := range requests {
		// If the variant matters, podman must be asked for it: see [podman.Podman.Local].
		if r.beginsLocally() && r.Platform.Variant == "" && !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	if len(names) < 2 {
		return nil
	}
	list, err := f.Podman.LocalImages(ctx, names...)
	var late *podman.TimeoutError
	if errors.As(err, &late) {
		// Asking again would take as long again.
		return err
	}
	f.seen = make(map[string]podman.Image, len(list))
	for i, image := range list {
		f.seen[names[i]] = image
	}
	return nil
}

// Request is an image that a job needs.
type Request struct {
	// Name is fully qualified; Repository is the name without tag and digest.
	Name, Repository string
	// Policies are tried in order.
	Policies []config.PullPolicy
	// Platform is the zero Platform for the machine's own.
	Platform podman.Platform
	// Own means that the administrator has chosen the image, so every job may use it.
	Own bool
}

// beginsLocally reports whether the local storage is searched before any registry.
func (r Request) beginsLocally() bool {
	return r.Policies[0] == config.PullPolicyMissing || r.Policies[0] == config.PullPolicyNever
}

// Found is an image of the local storage.
type Found struct {
	podman.Image
	// Pulled means that its registry was asked for it.
	Pulled bool
	// Fetch says how it was pulled.
	Fetch Fetch
}

// Find tries the pull policies in order and returns the first image found. If there is none,
// the error is the first one that a retry may avoid, or else the last.
func (f *Finder) Find(ctx context.Context, r Request) (Found, error) {
	var failure error
	for _, policy := range r.Policies {
		found, err := f.try(ctx, r, policy)
		if err == nil || ctx.Err() != nil {
			return found, err
		}
		if len(r.Policies) > 1 {
			f.Warn("pull policy %q failed for %s: %v", policy, r.Name, err)
		}
		if failure == nil || Refused(failure) {
			failure = err
		}
	}
	return Found{}, failure
}

// Refused reports whether another try cannot give the job that image either.
func Refused(err error) bool {
	return podman.PullRefused(err) || podman.ImageUnreadable(err) || errors.Is(err, podman.ErrNoImage) || errors.Is(err, ErrNotReadable) || errors.Is(err, ErrLocalhost)
}

func (f *Finder) try(ctx context.Context, r Request, policy config.PullPolicy) (Found, error) {
	switch policy {
	case config.PullPolicyNever:
		image, err := f.local(ctx, r)
		return Found{Image: image}, err
	case config.PullPolicyMissing:
		return f.missing(ctx, r)
	case config.PullPolicyNewer:
		return f.newer(ctx, r)
	}
	return f.pull(ctx, r, nil)
}

// missing returns the image from the local storage, or pulls it. If the job names no platform,
// the image must be for this machine, if possible: another job may have pulled the name for
// another platform.
func (f *Finder) missing(ctx context.Context, r Request) (Found, error) {
	var foreign *podman.Image
	look := func() (Found, error) {
		image, err := f.local(ctx, r)
		if err == nil && r.Platform == (podman.Platform{}) && !image.Fits(f.Native) {
			foreign, err = &image, podman.ErrPlatform
		}
		return Found{Image: image}, err
	}
	found, err := look()
	if err == nil || ctx.Err() != nil || isStateError(err) {
		return found, err
	}
	if IsLocalhost(r.Name) && foreign == nil && !errors.Is(err, podman.ErrNoImage) {
		return found, err // no registry can help
	}
	found, err = f.pull(ctx, r, look)
	if err == nil || ctx.Err() != nil || isStateError(err) || foreign == nil {
		return found, err
	}
	f.Warn("using the local image %s, which is for another platform than this machine's: %v", r.Name, err)
	return Found{Image: *foreign}, nil
}

// newer pulls, and uses the local image if the registry does not answer. This is podman's own
// "newer" (containers/common pkg/config/pull_policy.go), which `podman pull` has only from 5.x
// on. If the registry refuses, the local image is not used: it may be one that only another
// project may read.
func (f *Finder) newer(ctx context.Context, r Request) (Found, error) {
	if IsLocalhost(r.Name) {
		return f.missing(ctx, r)
	}
	found, pullError := f.pull(ctx, r, nil)
	if pullError == nil || ctx.Err() != nil || podman.PullRefused(pullError) || isStateError(pullError) {
		return found, pullError
	}
	image, err := f.local(ctx, r)
	if err != nil {
		return Found{}, pullError
	}
	f.Warn("using the local image %s: %v", r.Name, pullError)
	return Found{Image: image}, nil
}

// local finds an image in the storage that the job may use.
func (f *Finder) local(ctx context.Context, r Request) (podman.Image, error) {
	image, err := f.lookUp(ctx, r)
	if err != nil || r.Own {
		return image, err
	}
	// After the search: the image found may have come with another job's pull.
	may, err := f.Readers.May(r.Repository, image.ID, f.look(ctx))
	if err == nil && !may {
		err = fmt.Errorf("%w: %s", ErrNotReadable, r.Name)
	}
	if err != nil {
		return podman.Image{}, err
	}
	return image, nil
}

// lookUp returns what Look has found, but only once: whoever asks again wants to know whether
// the image is still there.
func (f *Finder) lookUp(ctx context.Context, r Request) (podman.Image, error) {
	if image, ok := f.seen[r.Name]; ok {
		delete(f.seen, r.Name)
		return image.Is(r.Name, r.Platform)
	}
	return f.Podman.Local(ctx, r.Name, r.Platform)
}

// pull pulls the image while no other job pulls from its repository. If it had to wait, look,
// unless nil, may find what the other job has pulled.
func (f *Finder) pull(ctx context.Context, r Request, look func() (Found, error)) (Found, error) {
	if IsLocalhost(r.Name) {
		return Found{}, ErrLocalhost
	}
	unlock, waited, err := f.lock(ctx, r)
	if err != nil {
		return Found{}, err
	}
	defer unlock()
	if waited > 0 && look != nil {
		if found, err := look(); err == nil {
			return found, nil
		}
	}
	file, matches, err := f.AuthFile(r.Repository)
	if err != nil {
		return Found{}, err
	}
	// Before the pull: if the driver is killed during it, the image may still end up in the
	// storage.
	var undo func()
	if matches {
		open := func() ([]string, error) { return f.everybodys(ctx, r) }
		if undo, err = f.Readers.Restrict(r.Repository, r.Name, open, f.look(ctx)); err != nil {
			return Found{}, err
		}
	}
	pull := podman.Pull{Name: r.Name, Platform: r.Platform, AuthFile: file}
	image, fetch, err := f.pullTries(ctx, pull)
	if image.ID != "" && f.Repair != nil && f.Repair(ctx, r.Name, image.ID, err) {
		image, fetch, err = f.pullTries(ctx, pull)
	}
	fetch.Waited = waited
	if err != nil {
		f.failed(ctx, r, err, undo)
		f.discard(ctx, r, image.ID, err)
		return Found{}, err
	}
	return Found{Image: image, Pulled: true, Fetch: fetch}, f.pulled(ctx, r, image, undo)
}

// discard handles an image that was pulled and is of no use. One that podman cannot read is
// removed at once: while the storage has it, podman cannot list images for anybody.
func (f *Finder) discard(ctx context.Context, r Request, id string, failure error) {
	if podman.ImageUnreadable(failure) && !errors.Is(failure, podman.ErrImageTooLarge) {
		if err := f.Podman.RemoveName(context.WithoutCancel(ctx), r.Name); err == nil {
			return
		}
	}
	if id != "" && f.Pulled != nil {
		f.Pulled(id)
	}
}

// lock waits until no other job pulls from the image's repository, says so, and returns how long
// it took.
func (f *Finder) lock(ctx context.Context, r Request) (unlock func(), waited time.Duration, err error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var since time.Time
	unlock, err = Lock(ctx, f.Locks, r.Repository, ticker.C, func() {
		if since.IsZero() {
			since = time.Now()
			ticker.Reset(interval)
			f.Note("Waiting for another job that is pulling from %s", r.Repository)
			return
		}
		f.detail(r.Name, "Waiting to pull "+r.Name, "waiting for another job that is pulling from "+r.Repository+", for "+inSeconds(time.Since(since)))
	})
	f.endDetails(r.Name)
	if !since.IsZero() {
		waited = time.Since(since)
	}
	return unlock, waited, err
}

// pullTries pulls an image, with as many tries as that may need, and says how it goes.
func (f *Finder) pullTries(ctx context.Context, pull podman.Pull) (podman.Image, Fetch, error) {
	platform := ""
	if pull.Platform != (podman.Platform{}) {
		platform = " for " + pull.Platform.String()
	}
	f.Note("Pulling image %s%s", pull.Name, platform)
	told := newReport(time.Now())
	pull.Progress = func(p podman.Progress) {
		if text := told.progress(time.Now(), p); text != "" {
			f.detail(pull.Name, "Still pulling "+pull.Name+platform+":", pull.Name+": "+text)
		}
	}
	defer f.endDetails(pull.Name)
	for try, wait := 1, pause; ; try, wait = try+1, 2*wait {
		image, err := f.Podman.Pull(ctx, pull)
		if err == nil || try == tries || ctx.Err() != nil || !podman.PullWorthRetrying(err) {
			return image, told.fetch(time.Now()), err
		}
		after := wait + rand.N(wait)
		f.Warn("pulling %s failed (try %d of %d), trying again in %.1f s: %v", pull.Name, try, tries, after.Seconds(), err)
		told.failed()
		select {
		case <-ctx.Done():
			return podman.Image{}, Fetch{}, ctx.Err()
		case <-time.After(after):
		}
	}
}

func (f *Finder) detail(of, header, text string) {
	if f.Detail != nil {
		f.Detail(of, header, text)
	}
}

func (f *Finder) endDetails(of string) {
	if f.EndDetails != nil {
		f.EndDetails(of)
	}
}
