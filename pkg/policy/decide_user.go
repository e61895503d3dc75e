package policy

import (
	"fmt"
	"slices"
	"strings"
)

// decideUser grants the user of the user container.
func (p *Policy) decideUser(r Request, g *Grant) (d *Denial) {
	g.User, d = p.user(r.User, "the job's image:docker:user", "", "general.podman.allowed_users", p.General.Podman.AllowedUsers)
	return d
}

// serviceUser grants the user of a service: by a list of its own, else by that for jobs.
func (p *Policy) serviceUser(asked, service string) (string, *Denial) {
	list, key := p.General.Podman.AllowedServiceUsers, "general.podman.allowed_service_users"
	if len(list) == 0 {
		list, key = p.General.Podman.AllowedUsers, "general.podman.allowed_users"
	}
	return p.user(asked, service, service+": ", key, list)
}

// user grants a user that is asked for, by a list of the policy: nothing for none, who
// is the image's own. subject is whose it is; of is put before the user in a denial.
func (p *Policy) user(asked, subject, of, key string, list []string) (string, *Denial) {
	if asked == "" {
		return "", nil
	}
	user, err := parseUser(asked)
	if err != nil {
		return "", p.denial(subject, "", err.Error(), "mend `user:` in .gitlab-ci.yml")
	}
	if len(list) == 0 {
		return user, nil
	}
	matches := func(s string) bool {
		allowed, err := parseUser(s)
		return err == nil && withGroup(allowed) == withGroup(user)
	}
	if !slices.ContainsFunc(list, matches) {
		return "", p.denial(fmt.Sprintf("%suser %q", of, user), key, "no entry of "+strings.TrimPrefix(key, "general.podman.")+" is this user", "")
	}
	return withGroup(user), nil
}
