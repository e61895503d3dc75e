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

func (p *Policy) decideUser(r Request, g *Grant) *Denial {
	const key = "general.podman.allowed_users"
	if r.User == "" {
		return nil
	}
	user, err := parseUser(r.User)
	if err != nil {
		return p.denial("the job's image:docker:user", "", err.Error(), "mend `user:` in .gitlab-ci.yml")
	}
	allowed := p.General.Podman.AllowedUsers
	matches := func(s string) bool {
		a, err := parseUser(s)
		return err == nil && a == user
	}
	if len(allowed) > 0 && !slices.ContainsFunc(allowed, matches) {
		return p.denial(fmt.Sprintf("user %q", user), key, "no entry of allowed_users is this user", "")
	}
	g.User = user
	return nil
}
