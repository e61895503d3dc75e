package preflight

import "podman-executor/pkg/podman"

// strictFrom is the first podman of which each netavark takes isolate=strict (5.0 needs netavark 1.10).
var strictFrom = Version{5, 0, 0}

// Isolation is what the option isolate of a job's network gets from a podman that says that version: all that it takes.
func Isolation(says string) string {
	if v, ok := ParseVersion(says); ok && !v.Before(strictFrom) {
		return podman.IsolateAll
	}
	return podman.IsolateOthers
}

// ApartHint is what helps where jobs' networks are not apart.
const ApartHint = "set firewall_driver to \"nftables\" under [network] in containers.conf of the user who runs podman (this requires nft and netavark 1.10 or newer); until then, run jobs that do not trust each other as different users"

// NetworksCheck is the name of the check.
const NetworksCheck = "jobs' networks"

// Apart says what was found when one job's network tried to reach another's: before and after a third had gone.
func Apart(reached bool, how string) Result {
	r := Result{Check: NetworksCheck, Detail: "isolated from each other"}
	if reached {
		r.Level = Warning
		r.Detail = "not isolated from each other: a container reached one on another network " + how
		r.Hint = ApartHint
	}
	return r
}
