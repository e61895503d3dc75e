package podman

import (
	"context"
	"errors"
)

// What the option isolate of a network takes (podman-network-create(1)).
const (
	// IsolateOthers keeps networks apart that have the option, with any value: from podman 4.2 and
	// netavark 1.1 on.
	IsolateOthers = "true"
	// IsolateAll keeps all other networks away: from podman 4.6 and netavark 1.7 on (containers/common pull
	// request 1513, containers/netavark pull request 703).
	IsolateAll = "strict"
)

// keepIsolation sees to it that the rules of the option isolate stay in force. netavark's driver for iptables (all of 1.4.0 and
// 1.14.0 that was measured; its driver for nftables does not) takes the jump to them out of FORWARD when
// any network with the option loses its last container, although networks are left (src/firewall/varktables/types.rs, td_policy of that rule). A jump with a
// comment is none that it looks for. Without iptables, or its chain, there is nothing to do.
const keepIsolation = `for t in iptables ip6tables; do
	PATH=$PATH:/usr/sbin:/sbin
	command -v $t >/dev/null && $t -w -S NETAVARK_ISOLATION_1 >/dev/null 2>&1 || continue
	set -- FORWARD -m comment --comment podman-executor -j NETAVARK_ISOLATION_1
	$t -w -C "$@" 2>/dev/null || $t -w -I "$@" || exit 1
done`

// ErrNoRules is the error of podman as root: its rules are in the machine's own firewall,
// which the driver does not touch.
var ErrNoRules = errors.New("podman runs as root: its rules are in the host's firewall, which the driver does not change")

// KeepIsolated sees to it that networks with the option isolate stay apart when others
// go. It is for a moment at which such a network has a container, in rootless podman of this machine; else the error is [ErrRemote]
// or [ErrNoRules].
func (p *Podman) KeepIsolated(ctx context.Context) error {
	if p.URL != "" {
		return ErrRemote
	}
	_, err := p.Output(ctx, "unshare", "--rootless-netns", "sh", "-c", keepIsolation)
	if refusesRoot(err) {
		return ErrNoRules
	}
	return err
}
