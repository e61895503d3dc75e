package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// userForm is USER[:GROUP], names or numbers.
var userForm = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?\z`)

// parseUser returns a user with its numbers in their shortest form. Otherwise "00" would
// pass where "0" is not allowed.
func parseUser(s string) (string, error) {
	if !userForm.MatchString(s) {
		return "", fmt.Errorf("invalid user %q: want USER or USER:GROUP", truncate(s, 80))
	}
	parts := strings.Split(s, ":")
	for i, part := range parts {
		if strings.Trim(part, "0123456789") != "" {
			continue
		}
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return "", fmt.Errorf("invalid user %q: %s is too large", truncate(s, 80), part)
		}
		parts[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(parts, ":"), nil
}

// withGroup adds the group of the same number to a number without a group. Without a group
// podman takes the groups of the image's /etc/passwd and /etc/group, which may be 0. With
// one it takes none of these (podman 4.3.1 and 5.4.2: libpod/container_internal_common.go,
// "if a group wasn't directly specified").
func withGroup(user string) string {
	if strings.Trim(user, "0123456789") != "" {
		return user
	}
	return user + ":" + user
}
