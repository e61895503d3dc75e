package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// userForm is USER[:GROUP], names or numbers.
var userForm = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?\z`)

// parseUser returns a user with its numbers in their shortest form: a comparison
// of texts would let "00" pass where "0" may not.
func parseUser(s string) (string, error) {
	if !userForm.MatchString(s) {
		return "", fmt.Errorf("%q is no user: want USER or USER:GROUP", truncate(s, 80))
	}
	parts := strings.Split(s, ":")
	for i, part := range parts {
		if strings.Trim(part, "0123456789") != "" {
			continue
		}
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return "", fmt.Errorf("%q is no user: %s is too large", truncate(s, 80), part)
		}
		parts[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(parts, ":"), nil
}

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

// withGroup gives a number without a group the group of that number. Without one podman
// takes the group and further groups of the image's /etc/passwd and /etc/group, which
// may be 0; with one, none of these (podman 4.3.1 and 5.4.2:
// libpod/container_internal_common.go, "if a group wasn't directly specified").
func withGroup(user string) string {
	if strings.Trim(user, "0123456789") != "" {
		return user
	}
	return user + ":" + user
}
