package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Image is an image of the local storage.
type Image struct {
	ID, Digest string
	// Size is in bytes.
	Size int64
	// Config and HealthCheck are from the image's configuration.
	Config      ImageConfig
	HealthCheck HealthCheck
	// OS, Arch and Variant are what the image is made for. podman 4.3.1 and 5.4.2 do not report
	// the variant; it is only queried if a job wants one.
	OS, Arch, Variant string
	// RepoDigests are REPOSITORY@DIGEST for each repository that the image was pulled from or
	// tagged for, as far as it was looked up by them.
	RepoDigests []string
}

// ImageConfig is the part of an image's configuration that matters here.
type ImageConfig struct {
	// Path is the PATH of the image's environment; empty: none.
	Path string
	// User is the user of its processes, USER[:GROUP]; empty: root.
	User string
	// WorkingDir is its WORKDIR. In a well-formed image it is an absolute path.
	WorkingDir string
	// ExposedPorts are ports with their protocol, such as "5432/tcp".
	ExposedPorts map[string]struct{}
	// Entrypoint is the image's ENTRYPOINT.
	Entrypoint []string
}

// Platform is what an image is made for. The zero Platform is the machine's own.
type Platform struct{ OS, Arch, Variant string }

// String returns what `--platform` takes; nothing for the zero Platform.
func (p Platform) String() string {
	if p == (Platform{}) {
		return ""
	}
	return strings.TrimSuffix(p.OS+"/"+p.Arch+"/"+p.Variant, "/")
}

// ErrNoImage is the error of an image that is not in the local storage.
var ErrNoImage = errors.New("the image is not in the local storage")

// Local finds an image in the local storage by its fully qualified name. With a platform, an
// image for another platform, or one without a variant, does not count.
func (p *Podman) Local(ctx context.Context, name string, platform Platform) (Image, error) {
	image, err := p.inspectImage(ctx, name)
	switch {
	case imageUnknown(err):
		return Image{}, fmt.Errorf("%w: %s", ErrNoImage, name)
	case err != nil:
		return Image{}, err
	}
	return p.variant(ctx, image, platform).Is(name, platform)
}

// LocalImages looks up several images in the local storage at once, by their fully qualified
// names. It returns them in that order, or none if any is missing. It does not query variants.
// Use [Image.Is] to check that a result is the wanted image.
func (p *Podman) LocalImages(ctx context.Context, names ...string) ([]Image, error) {
	list, err := p.inspectImages(ctx, names...)
	if imageUnknown(err) {
		return nil, nil
	}
	return list, err
}

// Is returns the image if it really has the fully qualified name that it was found by, and is
// for that platform: see [Podman.Local].
func (i Image) Is(name string, platform Platform) (Image, error) {
	switch {
	// For a digest, podman takes an image of any repository (4.3.1: it is
	// looked up by the digest alone).
	case strings.Contains(name, "@") && !slices.Contains(i.RepoDigests, name):
		return Image{}, fmt.Errorf("%w: %s", ErrNoImage, name)
	case !i.fits(platform, false):
		return Image{}, fmt.Errorf("%w: %s for %s, only for %s", ErrNoImage, name, platform, i.platform())
	}
	return i, nil
}

// platform returns the platform that the image declares.
func (i Image) platform() Platform { return Platform{OS: i.OS, Arch: i.Arch, Variant: i.Variant} }

// Fits reports whether an image is for a platform, as far as podman reports the image's. Every
// image fits the zero Platform.
func (i Image) Fits(p Platform) bool { return i.fits(p, true) }

// fits reports whether an image is for a platform. podman reports the variant only from 5.x on;
// unknown is the result if the variant is missing and would decide. arm64 has only one variant
// so far, v8, and not every image names it.
func (i Image) fits(p Platform, unknown bool) bool {
	switch {
	case p == (Platform{}):
		return true
	case i.OS != p.OS || i.Arch != p.Arch:
		return false
	case p.Variant == "" || i.Variant == p.Variant:
		return true
	case p.Arch == "arm64" && p.Variant == "v8" && i.Variant == "":
		return true
	}
	return unknown && i.Variant == ""
}

func (p *Podman) inspectImage(ctx context.Context, name string) (Image, error) {
	list, err := p.inspectImages(ctx, name)
	if err != nil {
		return Image{}, err
	}
	return list[0], nil
}

// ErrImageTooLarge is the error of an image whose configuration is too large: its entry
// point, for example, is part of the command line of each container.
var ErrImageTooLarge = fmt.Errorf("the image's PATH, user, WORKDIR, entry point, exposed ports and health check are larger than %d KiB in total", maxImage>>10)

// maxImage bounds the part of an image's configuration that is needed, in bytes. The kernel
// would not accept a longer word in a command line (execve(2), MAX_ARG_STRLEN).
const maxImage = 64 << 10

// inspected is a line that inspectFormat prints.
type inspected struct {
	ID, Digest, OS, Arch, User    string
	WorkingDir                    string
	Size                          int64
	Path, Entrypoint, RepoDigests []string
	HealthCheck                   []string
	ExposedPorts                  map[string]struct{}
}

// inspectFormat returns a template that prints the needed fields of the images with these
// names. An image has every name that anybody gave it, combined with the digest of each
// manifest, so only the requested ones are printed.
func inspectFormat(names []string) string {
	digests := ""
	for _, name := range names {
		if strings.Contains(name, "@") && strconv.CanBackquote(name) {
			digests += " `" + name + "`"
		}
	}
	if digests != "" {
		digests = "{{range .RepoDigests}}{{if eq ." + digests + "}}{{json .}}, {{end}}{{end}}"
	}
	return `{"ID": {{json .ID}}, "Digest": {{json .Digest}}, "Size": {{.Size}}, "OS": {{json .Os}}, "Arch": {{json .Architecture}}, ` +
		`"Path": [{{range .Config.Env}}{{if eq (printf "%.5s" .) "PATH="}}{{json .}}, {{end}}{{end}}""], ` +
		`"User": {{json .Config.User}}, "WorkingDir": {{json .Config.WorkingDir}}, "Entrypoint": {{json .Config.Entrypoint}}, "ExposedPorts": {{json .Config.ExposedPorts}}, ` +
		`"HealthCheck": {{with .HealthCheck}}{{json .Test}}{{else}}null{{end}}, "RepoDigests": [` + digests + `""]}`
}

func (i inspected) image() Image {
	image := Image{
		ID: i.ID, Digest: i.Digest, Size: i.Size, OS: i.OS, Arch: i.Arch, HealthCheck: HealthCheck{Test: i.HealthCheck},
		Config: ImageConfig{User: i.User, WorkingDir: i.WorkingDir, ExposedPorts: i.ExposedPorts, Entrypoint: i.Entrypoint},
	}
	for _, digest := range i.RepoDigests {
		if digest != "" {
			image.RepoDigests = append(image.RepoDigests, digest)
		}
	}
	for _, v := range i.Path { // the last one wins
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			image.Config.Path = path
		}
	}
	return image
}

// inspectImages returns one image for each name, in their order.
func (p *Podman) inspectImages(ctx context.Context, names ...string) ([]Image, error) {
	var list []Image
	var problem error
	out := &lines{max: maxImage, each: func(line []byte, err error) {
		var one inspected
		switch {
		case errors.Is(err, errLongLine):
			err = ErrImageTooLarge
		case err == nil:
			if err = json.Unmarshal(line, &one); err != nil {
				err = fmt.Errorf("podman image inspect: reading its output: %w", err)
			}
		}
		problem = errors.Join(problem, err)
		list = append(list, one.image())
	}}
	_, err := unlessLocked(ctx, func() ([]byte, error) {
		list, problem, out.line, out.cut = nil, nil, nil, false
		return nil, p.run(ctx, append([]string{"image", "inspect", "--format", inspectFormat(names), "--"}, names...), streams{stdout: out})
	})
	if err != nil {
		return nil, err
	}
	out.end()
	switch {
	case problem != nil:
		return nil, problem
	case len(list) != len(names):
		return nil, fmt.Errorf("podman image inspect: want %d images, got %d", len(names), len(list))
	case slices.ContainsFunc(list, func(i Image) bool { return i.ID == "" }):
		return nil, errors.New("podman image inspect: an image without an ID")
	}
	return list, nil
}

// variant adds the variant to an image, if podman knows it and a job wants one.
func (p *Podman) variant(ctx context.Context, image Image, wanted Platform) Image {
	if wanted.Variant == "" || image.Arch != wanted.Arch {
		return image
	}
	out, err := p.Output(ctx, "image", "inspect", "--format", text(".Variant"), "--", image.ID)
	if err == nil {
		_ = json.Unmarshal(out, &image.Variant)
	}
	return image
}

// isID matches an object's ID, as podman prints it.
var isID = regexp.MustCompile(`\A[0-9a-f]{64}\z`)

// lastID returns the last word of an answer, which has to be an ID.
func lastID(verb string, answer []byte) (string, error) {
	words := strings.Fields(string(answer))
	if len(words) == 0 || !isID.MatchString(words[len(words)-1]) {
		return "", fmt.Errorf("podman %s: no ID in its output", verb)
	}
	return words[len(words)-1], nil
}
