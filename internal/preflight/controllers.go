package preflight

import (
	"fmt"
	"slices"
	"strings"
)

// DelegateHint is how to make a machine enforce limits.
const DelegateHint = "with cgroup v2, delegate them to gitlab-runner's user: Delegate=cpu cpuset io memory pids under [Service] in /etc/systemd/system/user@.service.d/delegate.conf"

// Controllers reports whether containers can be limited, from the cgroup version, "v1" or "v2",
// and the controllers that podman has. It is an error if jobs are refused for a limit that is
// not enforced.
func Controllers(version string, has []string, refused bool) Result {
	r := Result{Check: "limits"}
	var missing []string
	for _, c := range []string{"cpu", "memory", "pids"} {
		if !slices.Contains(has, c) {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 {
		r.Detail = fmt.Sprintf("cgroup %s with %s", version, strings.Join(has, ", "))
		return r
	}
	r.Level = Warning
	if refused {
		r.Level = Error
	}
	r.Detail = fmt.Sprintf("limits on %s are accepted but not enforced: podman lacks the cgroup controllers (cgroup %s)", list(missing), version)
	r.Hint = DelegateHint
	return r
}
