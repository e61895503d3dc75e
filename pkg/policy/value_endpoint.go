package policy

import (
	"regexp"
	"strconv"
	"strings"
)

// Endpoints returns the addresses of the podman services that jobs may get, in the file's
// order. There are none if podman runs on this machine without a service.
func (pm Podman) Endpoints() []string {
	if pm.ServiceURL != "" {
		return []string{pm.ServiceURL}
	}
	return pm.ServiceURLs
}

// UsesEndpoint reports whether a podman service has the jobs' containers, on this machine
// or on another one.
func (pm Podman) UsesEndpoint() bool { return len(pm.Endpoints()) > 0 }

// IsRemote reports whether an endpoint is on another machine, which has none of the files
// of this one.
func IsRemote(endpoint string) bool { return strings.HasPrefix(endpoint, sshScheme) }

const sshScheme, unixScheme = "ssh://", "unix://"

// sshEndpoint is ssh://[USER@]HOST[:PORT]/PATH. The parts become words of ssh's command
// line. ssh expands %, $ and ~ in some of them, and splits others at colons.
var sshEndpoint = regexp.MustCompile(`\Assh://([A-Za-z0-9_][A-Za-z0-9_.-]*@)?([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?(/[A-Za-z0-9_.@+,=/-]+)\z`)

// isPort reports whether s is a port, such as ":22", or empty.
func isPort(s string) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(s, ":"))
	return s == "" || err == nil && n <= 65535
}
