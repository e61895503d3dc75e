package policy

import (
	"fmt"
	"slices"

	"github.com/containers/common/pkg/config"
)

// decidePull grants the pull policies of the policy for the administrator's images, and
// those that the job asks for and may choose for its own image.
func (p *Policy) decidePull(r Request, g *Grant) *Denial {
	g.RunnerPull = PullPolicies{config.PullPolicyMissing}
	if own := p.General.Podman.ImagePullPolicy; len(own) > 0 {
		g.RunnerPull = slices.Clone(own)
	}
	inForce := p.pullInForce()
	if g.DefaultImage {
		inForce = slices.Clone(g.RunnerPull)
	}
	var d *Denial
	g.UserPull, d = p.decidePullPolicies(r.PullPolicies, inForce)
	return d
}

// pullInForce returns the pull policies for images of jobs without a pull policy.
func (p *Policy) pullInForce() PullPolicies {
	if own := p.General.Podman.ImagePullPolicy; len(own) > 0 {
		return slices.Clone(own)
	}
	return PullPolicies{config.PullPolicyAlways}
}

// decidePullPolicies returns those pull policies that a job asks for and may have, in the
// job's order (gitlab-runner helpers/pull_policies/pull_policies.go:12). If the policy has
// no allowed_pull_policies, a job may only name those in force.
func (p *Policy) decidePullPolicies(asked []string, inForce PullPolicies) (PullPolicies, *Denial) {
	if len(asked) == 0 {
		return inForce, nil
	}
	allowed, key := inForce, "general.podman.image_pull_policy"
	reason, hint := "this runner only uses the pull policy %s", "remove `pull_policy:` from .gitlab-ci.yml"
	if list := p.General.Podman.AllowedPullPolicies; len(list) > 0 {
		allowed, key = list, "general.podman.allowed_pull_policies"
		reason, hint = "this runner only allows the pull policies %s", "choose from these in .gitlab-ci.yml, or remove `pull_policy:`"
	}
	var granted PullPolicies
	for _, name := range asked {
		policy, err := parsePullPolicy(name)
		if err != nil {
			return nil, p.denial("the job's pull_policy", "", err.Error(), "fix `pull_policy:` in .gitlab-ci.yml, or remove it")
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
