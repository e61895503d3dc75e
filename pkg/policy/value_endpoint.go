package policy

import (
	"regexp"
	"strconv"
	"strings"
)

// Addresses are the podman services that jobs may get, in the file's order; none where
// podman works on this machine itself.
func (pm Podman) Addresses() []string {
	if pm.ServiceURL != "" {
		return []string{pm.ServiceURL}
	}
	return pm.ServiceURLs
}

// HasService tells whether a podman service has the jobs' containers, on this machine
// or on another one.
func (pm Podman) HasService() bool { return len(pm.Addresses()) > 0 }

// IsElsewhere tells whether an address is that of a service on another machine, which
// has none of the files of this one.
func IsElsewhere(address string) bool { return strings.HasPrefix(address, sshScheme) }

const sshScheme, unixScheme = "ssh://", "unix://"

// sshAddress is ssh://[USER@]HOST[:PORT]/PATH. The parts become words of ssh's command
// line, some of which ssh expands (%, $, ~) or splits (at colons).
var sshAddress = regexp.MustCompile(`\Assh://([A-Za-z0-9_][A-Za-z0-9_.-]*@)?([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?(/[A-Za-z0-9_.@+,=/-]+)\z`)

// isPort knows ":22", and none at all.
func isPort(s string) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(s, ":"))
	return s == "" || err == nil && n <= 65535
}
