package preflight

import "podman-executor/pkg/podman"

// strictFrom is the first podman whose netavark always supports isolate=strict (5.0 needs
// netavark 1.10).
var strictFrom = Version{5, 0, 0}

// Isolation returns the value of a network's option isolate for a podman that reports that
// version: the strictest that it supports.
func Isolation(says string) string {
	if v, ok := ParseVersion(says); ok && !v.Before(strictFrom) {
		return podman.IsolateAll
	}
	return podman.IsolateOthers
}

// ApartHint is what helps if jobs' networks are not isolated.
const ApartHint = "set firewall_driver to \"nftables\" under [network] in containers.conf of the user who runs podman (this requires nft and netavark 1.10 or newer); until then, run jobs that do not trust each other as different users"

// NetworksCheck is the name of the check.
const NetworksCheck = "jobs' networks"

// Apart returns the result of trying to reach one job's network from another's, before and
// after a third was gone.
func Apart(reached bool, how string) Result {
	r := Result{Check: NetworksCheck, Detail: "isolated from each other"}
	if reached {
		r.Level = Warning
		r.Detail = "not isolated from each other: a container reached one on another network " + how
		r.Hint = ApartHint
	}
	return r
}
