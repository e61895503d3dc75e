package policy

import "fmt"

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
func (p *Policy) Decide(r Request) (*Grant, error) {
	g := &Grant{}
	for _, decide := range parts {
		if d := decide(p, r, g); d != nil {
			return nil, d
		}
	}
	return g, nil
}

// decideRunner grants the runner container, about which a job has no say.
func (p *Policy) decideRunner(_ Request, g *Grant) *Denial {
	pm := p.General.Podman
	g.RunnerEntry = EntryPoint{Words: pm.RunnerEntryPoint, Shell: len(pm.RunnerEntryPoint) == 0}
	if !pm.StepScriptOnly {
		g.RunnerImage = mustParseImage(pm.RunnerImage)
	}
	return nil
}
