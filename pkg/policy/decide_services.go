package policy

import (
	"fmt"
	"slices"
	"strings"
)

// ServiceRequest is one service that a job asks for.
type ServiceRequest struct {
	Image string
	// Aliases are chosen by the job's author. DefaultAliases come from the image's name.
	Aliases, DefaultAliases []string
	Entrypoint, Command     []string
	PullPolicies            []string
	User, Platform          string
}

// ServiceGrant is one service that a job gets.
type ServiceGrant struct {
	Image    Image
	Pull     PullPolicies
	Platform Platform
	// Added reports whether the policy adds the service. Index is its place among the
	// services of the policy, or among those of the job.
	Added bool
	Index int
	// Aliases are the names on the job's network.
	Aliases             []string
	Entrypoint, Command []string
	Environment         []string
	// User is USER[:GROUP]. Empty: the image's user.
	User string
	// Container is what the service's container gets.
	Container Container
}

// mayHaveAlias reports whether a service of a job may have an alias.
func mayHaveAlias(alias string, reserved []string) bool {
	return isAlias(alias) && !slices.Contains(reserved, strings.ToLower(alias))
}

// allowedAliases returns those default aliases that a service may have: an image can have
// the name of a host.
func allowedAliases(defaults, reserved []string) []string {
	return slices.DeleteFunc(slices.Clone(defaults), func(alias string) bool { return !mayHaveAlias(alias, reserved) })
}

// decideServices grants the policy's services and the job's. If two services have the same
// alias, the first gets it. A service without an alias is not started, as with the docker
// executor (gitlab-runner executors/docker/services.go:172), and a notice says so.
func (p *Policy) decideServices(r Request, g *Grant) *Denial {
	pm := p.General.Podman
	if asked, limit := len(pm.Services)+len(r.Services), pm.servicesLimit(); limit >= 0 && asked > limit {
		return p.denial("the job's services", servicesLimitKey,
			fmt.Sprintf("services_limit allows %d services, and the job would have %d", limit, asked),
			"use fewer `services:` in .gitlab-ci.yml")
	}
	taken := map[string]bool{}
	for i, added := range pm.Services {
		s := ServiceGrant{
			Image: mustParseImage(added.Name), Pull: slices.Clone(g.RunnerPull), Added: true, Index: i,
			Entrypoint: slices.Clone(added.Entrypoint), Command: slices.Clone(added.Command), Environment: slices.Clone(added.Environment),
		}
		g.addService(s, added.Aliases, allowedAliases([]string{added.defaultAlias()}, nil), taken)
	}
	for i, asked := range r.Services {
		s, d := p.decideService(asked, r.ReservedAliases)
		if d != nil {
			return d
		}
		s.Index = i
		g.addService(s, asked.Aliases, allowedAliases(asked.DefaultAliases, r.ReservedAliases), taken)
	}
	for i := range g.Services {
		g.Services[i].Container = pm.ServiceContainer.forImage(g.Services[i].Image)
	}
	return nil
}

// addService adds a service with those of its aliases that are not taken.
func (g *Grant) addService(s ServiceGrant, own, defaults []string, taken map[string]bool) {
	for i, alias := range slices.Concat(own, defaults) {
		if key := strings.ToLower(alias); !taken[key] {
			taken[key] = true
			s.Aliases = append(s.Aliases, alias)
		} else if i < len(own) && !slices.ContainsFunc(s.Aliases, func(has string) bool { return strings.EqualFold(has, alias) }) {
			g.Notices = append(g.Notices, fmt.Sprintf("skipping the alias %q of the service %s: another service already has it", alias, s.Image))
		}
	}
	if len(s.Aliases) == 0 {
		g.Notices = append(g.Notices, fmt.Sprintf("the service %s is not started: it has no unique alias; set one with `alias:`", s.Image))
		return
	}
	g.Services = append(g.Services, s)
}

// decideService decides on one service of the job.
func (p *Policy) decideService(r ServiceRequest, reserved []string) (ServiceGrant, *Denial) {
	const hint = "write `services:` in .gitlab-ci.yml as registry/path:tag"
	pm := p.General.Podman
	image, err := ParseImage(r.Image)
	if err != nil {
		return ServiceGrant{}, p.denial("a service", "", err.Error(), hint)
	}
	subject := fmt.Sprintf("service %q", image)
	list, key := pm.ServiceAllowList, "general.podman.service_allow_list"
	if len(list) == 0 {
		list, key = pm.ImageAllowList, "general.podman.image_allow_list"
	}
	if _, ok := match(list, image.String()); len(list) > 0 && !ok {
		return ServiceGrant{}, p.denial(subject, key, "no entry of "+strings.TrimPrefix(key, "general.podman.")+" matches", "")
	}
	for _, alias := range r.Aliases {
		if !mayHaveAlias(alias, reserved) {
			return ServiceGrant{}, p.denial(subject, "", fmt.Sprintf("the alias %q is invalid or reserved", truncate(alias, 80)), "choose another `alias:` of letters, digits and hyphens")
		}
	}
	platform, err := ParsePlatform(r.Platform)
	if err != nil {
		return ServiceGrant{}, p.denial("the docker:platform of "+subject, "", err.Error(), platformHint)
	}
	user, d := p.decideServiceUser(r.User, subject)
	if d != nil {
		return ServiceGrant{}, d
	}
	pull, d := p.decidePullPolicies(r.PullPolicies, p.pullInForce())
	if d != nil {
		return ServiceGrant{}, d
	}
	if reason := badEntrypoint(r.Entrypoint); reason != "" {
		return ServiceGrant{}, p.denial("the entrypoint of "+subject, "", reason, "fix `entrypoint:` in .gitlab-ci.yml")
	}
	if reason := badWords(r.Command); reason != "" {
		return ServiceGrant{}, p.denial("the command of "+subject, "", reason, "fix `command:` in .gitlab-ci.yml")
	}
	return ServiceGrant{Image: image, Pull: pull, Platform: platform, User: user, Entrypoint: slices.Clone(r.Entrypoint), Command: slices.Clone(r.Command)}, nil
}
