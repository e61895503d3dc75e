package policy

import (
	"fmt"
	"slices"

	"github.com/containers/common/pkg/config"
)

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
	g.UserPull, d = p.decidePullPolicies(r.PullPolicies, inForce)
	return d
}

// pullInForce is how the images of jobs are pulled that do not say how.
func (p *Policy) pullInForce() PullPolicies {
	if own := p.General.Podman.ImagePullPolicy; len(own) > 0 {
		return own
	}
	return PullPolicies{config.PullPolicyAlways}
}

// decidePullPolicies returns the policies that a job asks for and may have, in the job's order
// (gitlab-runner helpers/pull_policies/pull_policies.go:12). Without a list of
// allowed ones a job can only confirm those in force.
func (p *Policy) decidePullPolicies(asked []string, inForce PullPolicies) (PullPolicies, *Denial) {
	if len(asked) == 0 {
		return inForce, nil
	}
	allowed, key := inForce, "general.podman.image_pull_policy"
	reason, hint := "this runner pulls images by the policy %s only", "leave `pull_policy:` out of .gitlab-ci.yml"
	if list := p.General.Podman.AllowedPullPolicies; len(list) > 0 {
		allowed, key = list, "general.podman.allowed_pull_policies"
		reason, hint = "this runner allows jobs the policies %s only", "choose of those in .gitlab-ci.yml, or leave `pull_policy:` out"
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
	return nil, p.denial(fmt.Sprintf("pull_policy %q", asked), key, fmt.Sprintf(reason, allowed), hint)
}
