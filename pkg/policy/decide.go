package policy

import (
	"fmt"
	"slices"
	"strings"
)

// maxEntrypoint bounds an entry point or command of a job's, in bytes of all its
// words: it travels on a command line.
const maxEntrypoint = 32 << 10

// Request is what one job asks for, as parsed from what the runner says.
type Request struct {
	// Image is the job's `image:name`, empty where the job has none.
	Image string
	// Entrypoint is the job's `image:entrypoint`.
	Entrypoint []string
	// User is the job's `image:docker:user`, its variables expanded.
	User string
	// PullPolicies is the job's `image:pull_policy`.
	PullPolicies []string
	// Platform is the job's `image:docker:platform`, its variables expanded.
	Platform string
	Volumes  []VolumeRequest
	Services []ServiceRequest
	Limits   LimitRequest
	// LauncherOptions are the words of the policy's scheduler_variable.
	LauncherOptions []string
	// ReservedAliases are host names that no service may take, in lower case.
	ReservedAliases []string
	// Reserved are the paths in the containers that the driver mounts itself.
	Reserved []string
}

// Grant is what the policy allowed one job. Nothing in it needs another look at
// the policy or at the request.
type Grant struct {
	// RunnerImage is the zero Image where the policy has step_script_only.
	RunnerImage Image
	UserImage   Image
	// DefaultImage tells that UserImage is the administrator's, not the job's.
	DefaultImage bool
	// ImageRule is the entry of image_allow_list that allowed the image; empty
	// where no rule was needed.
	ImageRule string
	// RunnerPull and UserPull are the pull policies of the two images, to be
	// tried in order.
	RunnerPull, UserPull PullPolicies
	// Platform is that of the user container, the zero Platform for the
	// machine's own. The runner container always has the machine's own.
	Platform Platform
	RunnerEntry,
	UserEntry EntryPoint
	// ImageEntry tells that the image's own ENTRYPOINT, where it has one, is to
	// be the words of UserEntry.
	ImageEntry bool
	// User is the user of the user container, USER[:GROUP], empty for the
	// image's own.
	User     string
	Mounts   []Mount
	Services []ServiceGrant
	// Container is what the user container gets, and RunnerContainer what the
	// runner container gets. Hostname is that of both, empty where the policy has none.
	Container, RunnerContainer Container
	Hostname                   string
	Network                    Network
	// LauncherOptions come behind the words of the policy's launcher.
	LauncherOptions []string
	// Notices are for the job's author: what is not as the job may expect.
	Notices []string
}

// EntryPoint is what comes before the script file on a container's command line.
type EntryPoint struct {
	Words []string
	// Shell tells that the words are followed by the image's best shell.
	Shell bool
}

// Denial is a request that the policy does not allow, or that makes no sense.
// The job's author can mend it.
type Denial struct {
	// Subject is what was asked for, quoted; Reason why it is refused.
	Subject, Reason string
	// Rule is the key that decides, as file:line: key, where there is one.
	Rule string
	// Advice is what to do, where it can be said.
	Advice string
}

// Error returns the denial in one line.
func (d *Denial) Error() string { return fmt.Sprintf("policy denies %s: %s", d.Subject, d.Reason) }

// Hint returns what to do, and where the rule stands.
func (d *Denial) Hint() string {
	switch {
	case d.Advice == "":
		return d.Rule + " lists what is allowed; ask the administrator of this runner for more"
	case d.Rule == "":
		return d.Advice
	default:
		return d.Advice + " (" + d.Rule + ")"
	}
}

// denial makes a Denial that points at the key of the policy file, where the
// file has it, or at the file.
func (p *Policy) denial(subject, key, reason, advice string) *Denial {
	rule := ""
	if key != "" {
		rule = fmt.Sprintf("%s: %s", p.file, key)
		if line := p.Line(key); line > 0 {
			rule = fmt.Sprintf("%s:%d: %s", p.file, line, key)
		}
	}
	return &Denial{Subject: subject, Reason: reason, Rule: rule, Advice: advice}
}

// Decide returns what a job gets, or a *[Denial]: all of what it asks for or
// nothing.
func (p *Policy) Decide(r Request) (*Grant, error) {
	pm := p.General.Podman
	g := &Grant{
		RunnerEntry: EntryPoint{Words: pm.RunnerEntryPoint, Shell: len(pm.RunnerEntryPoint) == 0},
	}
	if !pm.StepScriptOnly {
		g.RunnerImage = mustParseImage(pm.RunnerImage)
	}
	if d := p.decideImage(r, g); d != nil {
		return nil, d
	}
	if d := p.decidePull(r, g); d != nil {
		return nil, d
	}
	if d := p.decidePlatform(r, g); d != nil {
		return nil, d
	}
	if d := p.decideEntrypoint(r, g); d != nil {
		return nil, d
	}
	if d := p.decideUser(r, g); d != nil {
		return nil, d
	}
	if d := p.decideVolumes(r, g); d != nil {
		return nil, d
	}
	if d := p.decideLimits(r, g); d != nil {
		return nil, d
	}
	if d := p.decideServices(r, g); d != nil {
		return nil, d
	}
	if d := p.decideNetwork(g); d != nil {
		return nil, d
	}
	if d := p.decideLauncher(r, g); d != nil {
		return nil, d
	}
	return g, nil
}

func (p *Policy) decideImage(r Request, g *Grant) *Denial {
	const key = "general.podman.image_allow_list"
	pm := p.General.Podman
	if r.Image == "" {
		if pm.DefaultImage == "" {
			return p.denial("a job without an image", "",
				"the job names no image, and the policy has no default_image",
				fmt.Sprintf("add `image:` to the job in .gitlab-ci.yml, or ask the administrator to set default_image in %s", p.file))
		}
		g.UserImage, g.DefaultImage = mustParseImage(pm.DefaultImage), true
		return nil
	}
	image, err := ParseImage(r.Image)
	if err != nil {
		return p.denial("the job's image", "", err.Error(), "write `image:` in .gitlab-ci.yml as registry/path:tag")
	}
	g.UserImage = image
	if len(pm.ImageAllowList) == 0 {
		return nil
	}
	rule, ok := match(pm.ImageAllowList, image.String())
	if !ok {
		return p.denial(fmt.Sprintf("image %q", image), key, "no entry of image_allow_list matches", "")
	}
	g.ImageRule = rule.Expression
	return nil
}

func (p *Policy) decideEntrypoint(r Request, g *Grant) *Denial {
	pm := p.General.Podman
	if len(pm.UserEntryPoint) > 0 {
		g.UserEntry = EntryPoint{Words: pm.UserEntryPoint}
		return nil
	}
	g.UserEntry = EntryPoint{Shell: true}
	// [""] means: no entry point (gitlab-runner executors/docker/docker.go:1371).
	if len(r.Entrypoint) == 0 || slices.Equal(r.Entrypoint, []string{""}) {
		g.ImageEntry = pm.ImageEntryPoint && len(r.Entrypoint) == 0
		return nil
	}
	if reason := badEntrypoint(r.Entrypoint); reason != "" {
		return p.denial("the job's image:entrypoint", "", reason, "mend `entrypoint:` in .gitlab-ci.yml")
	}
	g.UserEntry.Words = slices.Clone(r.Entrypoint)
	return nil
}

// badEntrypoint says why words cannot be an entry point, or nothing.
func badEntrypoint(words []string) string {
	if len(words) > 1 && words[0] == "" {
		return "its first word is empty"
	}
	return badWords(words)
}

// badWords says why no command line can have the words, or nothing.
func badWords(words []string) string {
	size := 0
	for _, w := range words {
		size += len(w)
		if strings.ContainsRune(w, 0) {
			return "it has a NUL byte"
		}
	}
	if size > maxEntrypoint {
		return "it is longer than 32 KiB"
	}
	return ""
}

func (p *Policy) decideVolumes(r Request, g *Grant) *Denial {
	seen := map[string]string{}
	for _, t := range p.General.Podman.Container.Tmpfs {
		seen[t.Path] = "a tmpfs of the policy"
	}
	reserved := slices.Concat(r.Reserved, p.General.Podman.Container.Volumes.Destinations())
	for _, v := range r.Volumes {
		m, d := p.volume(v, reserved)
		if d != nil {
			return d
		}
		if other, taken := seen[m.Destination]; taken {
			return p.denial(fmt.Sprintf("%s: destination %q", v.Variable, m.Destination), "",
				"it is the destination of "+other+" already", "give each volume a destination of its own")
		}
		seen[m.Destination] = v.Variable
		g.Mounts = append(g.Mounts, m)
	}
	return nil
}

// mustParseImage parses an image of the policy, which Parse has checked.
func mustParseImage(name string) Image {
	image, err := ParseImage(name)
	if err != nil {
		panic("policy: an image that was checked at parsing: " + err.Error())
	}
	return image
}
