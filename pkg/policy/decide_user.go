package policy

import (
	"fmt"
	"slices"
	"strings"
)

// decideUser grants the user of the user container.
func (p *Policy) decideUser(r Request, g *Grant) (d *Denial) {
	g.User, d = p.decideUserByList(r.User, "the job's image:docker:user", "", "general.podman.allowed_users", p.General.Podman.AllowedUsers)
	return d
}

// decideServiceUser grants the user of a service, by the list for services, else by the
// one for jobs.
func (p *Policy) decideServiceUser(asked, service string) (string, *Denial) {
	list, key := p.General.Podman.AllowedServiceUsers, "general.podman.allowed_service_users"
	if len(list) == 0 {
		list, key = p.General.Podman.AllowedUsers, "general.podman.allowed_users"
	}
	return p.decideUserByList(asked, service, service+": ", key, list)
}

// decideUserByList grants a user by a list of the policy. An empty user stays empty: it is
// the image's user. A denial is about subject if asked is not a valid user. If the list does
// not have the user, the denial is about the user, and begins with of.
func (p *Policy) decideUserByList(asked, subject, of, key string, list []string) (string, *Denial) {
	if asked == "" {
		return "", nil
	}
	user, err := parseUser(asked)
	if err != nil {
		return "", p.denial(subject, "", err.Error(), "fix `user:` in .gitlab-ci.yml")
	}
	if len(list) == 0 {
		return user, nil
	}
	matches := func(s string) bool {
		allowed, err := parseUser(s)
		return err == nil && withGroup(allowed) == withGroup(user)
	}
	if !slices.ContainsFunc(list, matches) {
		return "", p.denial(fmt.Sprintf("%suser %q", of, user), key, "not in "+strings.TrimPrefix(key, "general.podman."), "")
	}
	return withGroup(user), nil
}
