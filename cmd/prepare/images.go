package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"podman-executor/internal/credentials"
	"podman-executor/internal/driver"
	"podman-executor/internal/images"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/plan"
	"podman-executor/internal/request"
	"podman-executor/internal/site"
	"podman-executor/internal/spec"
	"podman-executor/internal/storage"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// imageWanted is an image that the job needs, with its wording for messages.
type imageWanted struct {
	name     policy.Image
	pull     policy.PullPolicies
	platform policy.Platform
	// role ends the line in the job log: "in the user container".
	role string
	// adminKey is the policy's key that names it; empty for the job's own image.
	adminKey string
	// keep stores the image that was found in its place.
	keep func(*obtained, podman.Image)
}

// imagesWanted returns the job's images: those of the runner container, if there is one, the
// user container and the services.
func imagesWanted(g policy.Grant, p plan.Plan) []imageWanted {
	var list []imageWanted
	if p.RunnerContainer != "" {
		list = append(list, imageWanted{
			name: g.RunnerImage, pull: g.RunnerPull, role: "in the runner container", adminKey: "runner_image",
			keep: func(o *obtained, i podman.Image) { o.runner = i },
		})
	}
	user := imageWanted{
		name: g.UserImage, pull: g.UserPull, platform: g.Platform, role: "in the user container",
		keep: func(o *obtained, i podman.Image) { o.user = i },
	}
	if g.DefaultImage {
		user.adminKey = "default_image"
	}
	list = append(list, user)
	for _, service := range g.Services {
		w := imageWanted{
			name: service.Image, pull: service.Pull, platform: service.Platform, role: "as the service " + service.Aliases[0],
			keep: func(o *obtained, i podman.Image) { o.services = append(o.services, i) },
		}
		if service.Added {
			w.adminKey = "services"
		}
		list = append(list, w)
	}
	return list
}

func (w imageWanted) request() images.Request {
	return images.Request{
		Name: w.name.String(), Repository: w.name.Repository(), Policies: w.pull,
		Platform: podman.Platform(w.platform), Own: w.adminKey != "",
	}
}

// findImages resolves all images. The job's credentials exist only while it runs.
func findImages(ctx context.Context, in inputs, pm *podman.Podman, f spec.Facts, p plan.Plan, native podman.Platform, have *obtained) error {
	s, err := newSearch(in, pm, p, native, have.held)
	if err != nil {
		return err
	}
	defer clearRuntimeDir(in.log, p)
	list := imagesWanted(f.Grant, p)
	requests := make([]images.Request, len(list))
	for i, w := range list {
		requests[i] = w.request()
	}
	since := time.Now()
	if err := s.finder.Look(ctx, requests...); err != nil {
		return imageFault(in.policy, pm, list[0], err)
	}
	for _, w := range list {
		image, err := s.image(ctx, w, since)
		if err != nil {
			return err
		}
		w.keep(have, image)
	}
	return nil
}

// search looks for images, and keeps those it has found from being removed.
type search struct {
	in      inputs
	podman  *podman.Podman
	finder  *images.Finder
	records storage.Records
	held    *storage.Held
}

// newSearch returns a search with the job's credentials.
func newSearch(in inputs, pm *podman.Podman, p plan.Plan, native podman.Platform, held *storage.Held) (search, error) {
	set, notices, err := credentialsOf(in)
	if err != nil {
		return search{}, err
	}
	for _, n := range notices {
		in.call.Warn("%s", n)
	}
	records, readers := storage.RecordsIn(in.stateDir), images.ReadersIn(in.stateDir)
	readers.Project = in.job.ProjectName()
	return search{in: in, podman: pm, records: records, held: held, finder: &images.Finder{
		Podman:   pm,
		AuthFile: func(repository string) (string, bool, error) { return set.Write(p.AuthDir, repository) },
		Readers:  readers,
		// Not among the directories of jobs, which are searched for leftovers.
		Locks:  filepath.Dir(p.AuthDir) + "-locks",
		Native: native,
		Pulled: func(id string) { recordPulled(records, in.log, id) },
		Repair: func(ctx context.Context, name, id string, err error) bool {
			return tellsDamage(err) && tellsDamage(pm.TryImage(ctx, id)) && removeDamaged(ctx, in, pm, name, id, err)
		},
		Note:   in.call.Note,
		Warn:   in.call.Warn,
		Detail: in.call.Detail, EndDetails: in.call.EndDetails,
	}}, nil
}

// recordPulled records an image that was pulled but that no container will use. Without a
// record it would stay for ever.
func recordPulled(records storage.Records, log *site.Log, id string) {
	release, _, err := records.HoldImage(context.Background(), id, time.Now(), true)
	if err != nil {
		log.WithError(err).Warn("recording an image that was pulled and is not used: " + id)
		return
	}
	release()
}

// image resolves one image and says so in the job log. since is the earliest time at which the
// image was looked for.
func (s search) image(ctx context.Context, w imageWanted, since time.Time) (podman.Image, error) {
	found, err := s.find(ctx, w, since)
	if err != nil {
		return podman.Image{}, err
	}
	how := "found locally"
	if found.Pulled {
		how = found.Fetch.String()
		logPulled(s.in.log, w, found)
	}
	platform := ""
	if w.platform != (policy.Platform{}) {
		platform = " for " + w.platform.String()
	}
	s.in.call.Note("Using image %s%s %s: %s, %d MB, %s", w.name, platform, w.role, found.Digest, found.Size/1e6, how)
	return found.Image, nil
}

// logPulled tells the administrator how an image was pulled.
func logPulled(log *site.Log, w imageWanted, found images.Found) {
	fetch := found.Fetch
	fields := logrus.Fields{
		"image": w.name.String(), "size": found.Size, "seconds": fetch.Took.Seconds(), "waited": fetch.Waited.Seconds(),
	}
	if fetch.Bytes > 0 {
		fields["fetched"], fields["bytes_per_second"] = fetch.Bytes, int64(fetch.Rate())
	}
	if fetch.Layers > 0 {
		fields["layers"], fields["layers_reused"] = fetch.Layers, fetch.Reused
	}
	log.WithFields(fields).Info("pulled an image")
}

// findTries is how often an image is looked for if it is removed before it can be held.
const findTries = 3

// find finds an image, and keeps it from being removed until it is released. If the image was
// removed before it was held, find looks for it again. The image may already have been found,
// at since or later.
func (s search) find(ctx context.Context, w imageWanted, since time.Time) (images.Found, error) {
	for range findTries {
		found, err := s.finder.Find(ctx, w.request())
		if err != nil {
			return found, imageFault(s.in.policy, s.podman, w, err)
		}
		release, there, err := s.records.HoldImage(ctx, found.ID, since, found.Pulled)
		if err != nil {
			return found, recordsFault(s.in.policy, err)
		}
		s.held.Add(release)
		if !there {
			there, err = s.podman.ImageExists(ctx, found.ID)
		}
		if err != nil {
			return found, imageFault(s.in.policy, s.podman, w, err)
		}
		if there {
			return found, nil
		}
		since = time.Time{} // the record is this job's own now, and proves nothing
	}
	return images.Found{}, imageFault(s.in.policy, s.podman, w, podman.ErrImageGone)
}

// credentialsOf collects the credentials that the job may pull with.
func credentialsOf(in inputs) (credentials.Set, []string, error) {
	var administrators credentials.File
	if name := in.policy.General.Podman.RegistryAuthFile; name != "" {
		var err error
		if administrators, err = credentials.ReadFile(name); err != nil {
			return credentials.Set{}, nil, &driver.Fault{
				Err:  err,
				Hint: "fix the file of " + in.policy.Where("general.podman.registry_auth_file") + "; only gitlab-runner's user may be able to read it",
			}
		}
	}
	set, notices := credentials.Collect(in.call.Getenv(request.Prefix+"DOCKER_AUTH_CONFIG"), administrators, in.job.Credentials)
	return set, notices, nil
}

// clearRuntimeDir removes secrets that were for one podman command.
func clearRuntimeDir(log *site.Log, p plan.Plan) {
	if err := leftovers.Clear(p.AuthDir); err != nil {
		log.WithError(err).Warn("removing the job's secrets")
	}
}
