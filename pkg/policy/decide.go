package policy

import (
	"fmt"
	"slices"
)

// Request is what one job asks for.
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
	// LauncherOptions are the words of the variable that the policy calls
	// scheduler_variable.
	LauncherOptions []string
	// ReservedAliases are host names that no service may take, in lower case.
	ReservedAliases []string
	// Reserved are the driver's mount points in the containers.
	Reserved []string
}

// Grant is what one job gets. It can be used without the policy and the request, and
// shares no memory with them that could be written to.
type Grant struct {
	// RunnerImage is the zero Image where the policy has step_script_only.
	RunnerImage Image
	UserImage   Image
	// DefaultImage reports whether UserImage is the administrator's, not the job's.
	DefaultImage bool
	// ImageRule is the entry of image_allow_list that allowed the image. It is empty if
	// none was needed.
	ImageRule string
	// RunnerPull and UserPull are the pull policies of the two images.
	RunnerPull, UserPull PullPolicies
	// Platform is the platform of the user container. The runner container always has
	// the platform of the machine.
	Platform Platform
	RunnerEntry,
	UserEntry EntryPoint
	// ImageEntry reports whether the image's ENTRYPOINT, if it has one, is used for the
	// words of UserEntry.
	ImageEntry bool
	// User is the user of the user container, USER[:GROUP]. Empty: the image's user.
	User     string
	Mounts   []Mount
	Services []ServiceGrant
	// Container is what the user container gets, and RunnerContainer what the runner
	// container gets. Hostname is for both. It is empty if the policy has none.
	Container, RunnerContainer Container
	Hostname                   string
	Network                    Network
	// LauncherOptions come after the words of the policy's launcher.
	LauncherOptions []string
	// Notices are for the job log: they say what the job asks for and does not get.
	Notices []string
}

// EntryPoint is what comes before the script file on a container's command line.
type EntryPoint struct {
	Words []string
	// Shell reports whether the image's best shell comes after the words, Login whether this
	// is a login shell.
	Shell, Login bool
}

// Denial is the error of a request that the policy does not allow, or that is invalid.
// The job's author can change it.
type Denial struct {
	// Subject is what was asked for, quoted. Reason is why it is refused.
	Subject, Reason string
	// Rule is the key that decides, see [Policy.Where]. It is empty where no key does.
	Rule string
	// hint is what the author can do. It is empty where only the administrator can help.
	hint string
}

// Error returns the denial in one line.
func (d *Denial) Error() string { return fmt.Sprintf("policy denies %s: %s", d.Subject, d.Reason) }

// Hint returns what to do, with the place of the rule in the policy file.
func (d *Denial) Hint() string {
	switch {
	case d.hint == "":
		return d.Rule + " lists what is allowed; ask the administrator of this runner for more"
	case d.Rule == "":
		return d.hint
	default:
		return d.hint + " (" + d.Rule + ")"
	}
}

// denial makes a Denial by a rule of the policy file. An empty key: no rule decides.
func (p *Policy) denial(subject, key, reason, hint string) *Denial {
	rule := ""
	if key != "" {
		rule = p.Where(key)
	}
	return &Denial{Subject: subject, Reason: reason, Rule: rule, hint: hint}
}

// parts are the parts of a decision, in their order. Each adds its own to the Grant, and
// may read what those before it have added.
var parts = []func(*Policy, Request, *Grant) *Denial{
	(*Policy).decideRunner,
	(*Policy).decideImage,
	(*Policy).decidePull,
	(*Policy).decidePlatform,
	(*Policy).decideEntrypoint,
	(*Policy).decideUser,
	(*Policy).decideVolumes,
	(*Policy).decideLimits,
	(*Policy).decideServices,
	(*Policy).decideNetwork,
	(*Policy).decideLauncher,
}

// Decide returns what a job gets, or a *[Denial]. A job gets all of what it asks for or
// nothing.
func (p *Policy) Decide(r Request) (Grant, error) {
	var g Grant
	for _, decide := range parts {
		if d := decide(p, r, &g); d != nil {
			return Grant{}, d
		}
	}
	return g, nil
}

// decideRunner grants the image and the entry point of the runner container. A job cannot
// choose them.
func (p *Policy) decideRunner(_ Request, g *Grant) *Denial {
	pm := p.General.Podman
	g.RunnerEntry = EntryPoint{Words: slices.Clone(pm.RunnerEntryPoint)}
	if len(pm.RunnerEntryPoint) == 0 {
		g.RunnerEntry = pm.shell()
	}
	if !pm.StepScriptOnly {
		g.RunnerImage = mustParseImage(pm.RunnerImage)
	}
	return nil
}
