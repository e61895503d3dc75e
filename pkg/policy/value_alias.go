package policy

import (
	"regexp"
	"slices"
	"strings"
)

// aliasForm is the form of a name on the job's network: that of RFC 1123, and the
// underscores of docker's default names.
var aliasForm = regexp.MustCompile(`\A[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?\z`)

// reservedAliases mean something else in a container, on every network.
var reservedAliases = []string{"localhost", "host.containers.internal", "host.docker.internal"}

func isAlias(s string) bool {
	return aliasForm.MatchString(s) && !slices.Contains(reservedAliases, strings.ToLower(s))
}
