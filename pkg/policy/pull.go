package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/containers/common/pkg/config"
)

// PullPolicies are podman's pull policies, tried in order until one gives an
// image. Nil: the file does not have the key.
type PullPolicies []config.PullPolicy

// String returns the policies' names, quoted.
func (ps PullPolicies) String() string {
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = strconv.Quote(p.String())
	}
	return strings.Join(names, ", ")
}

// read takes one pull policy, or a list of them.
func (ps *PullPolicies) read(value any) []string {
	take := func(s string) error {
		p, err := parsePullPolicy(s)
		*ps = append(*ps, p)
		return err
	}
	switch v := value.(type) {
	case string:
		if err := take(v); err != nil {
			return []string{err.Error()}
		}
		return nil
	case []any:
		return eachString(v, take)
	default:
		return []string{"want a pull policy or a list of them, got " + describe(value)}
	}
}

// parsePullPolicy takes podman's names, checked by podman's own library, and
// GitLab's "if-not-present". The library also takes older spellings and the
// empty string; neither a policy file nor a job is a place for them.
func parsePullPolicy(s string) (config.PullPolicy, error) {
	name := s
	if s == "if-not-present" {
		name = config.PullPolicyMissing.String()
	}
	p, err := config.ParsePullPolicy(name)
	if err != nil || p.String() != name {
		return 0, fmt.Errorf("unknown pull policy %q: want always, missing, never, newer or if-not-present", truncate(s, 40))
	}
	return p, nil
}

// decidePull gives the administrator's images the policies in force, and the
// job's image what the job asks for within what is allowed.
func (p *Policy) decidePull(r Request, g *Grant) *Denial {
	g.RunnerPull = PullPolicies{config.PullPolicyMissing}
	if own := p.General.Podman.ImagePullPolicy; len(own) > 0 {
		g.RunnerPull = own
	}
	inForce := p.pullInForce()
	if g.DefaultImage {
		inForce = g.RunnerPull
	}
	var d *Denial
	g.UserPull, d = p.pull(r.PullPolicies, inForce)
	return d
}

// pullInForce is how the images of jobs are pulled that do not say how.
func (p *Policy) pullInForce() PullPolicies {
	if own := p.General.Podman.ImagePullPolicy; len(own) > 0 {
		return own
	}
	return PullPolicies{config.PullPolicyAlways}
}

// pull returns the policies that a job asks for and may have, in the job's order
// (gitlab-runner helpers/pull_policies/pull_policies.go:12). Without a list of
// allowed ones a job can only confirm those in force.
func (p *Policy) pull(asked []string, inForce PullPolicies) (PullPolicies, *Denial) {
	if len(asked) == 0 {
		return inForce, nil
	}
	allowed, key := inForce, "general.podman.image_pull_policy"
	reason, advice := "this runner pulls images by the policy %s only", "leave `pull_policy:` out of .gitlab-ci.yml"
	if list := p.General.Podman.AllowedPullPolicies; len(list) > 0 {
		allowed, key = list, "general.podman.allowed_pull_policies"
		reason, advice = "this runner allows jobs the policies %s only", "choose of those in .gitlab-ci.yml, or leave `pull_policy:` out"
	}
	var granted PullPolicies
	for _, name := range asked {
		policy, err := parsePullPolicy(name)
		if err != nil {
			return nil, p.denial("the job's pull_policy", "", err.Error(), "mend `pull_policy:` in .gitlab-ci.yml, or leave it out")
		}
		if slices.Contains(allowed, policy) {
			granted = append(granted, policy)
		}
	}
	if len(granted) > 0 {
		return granted, nil
	}
	return nil, p.denial(fmt.Sprintf("pull_policy %q", asked), key, fmt.Sprintf(reason, allowed), advice)
}

// checkPullPolicies refuses an empty list: nothing could be pulled by it.
func (d *decoder) checkPullPolicies(key string, list PullPolicies) {
	if d.given(key) && len(list) == 0 {
		d.at(key, "want at least one pull policy")
	}
}
