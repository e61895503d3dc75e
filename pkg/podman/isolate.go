package podman

import (
	"context"
	"errors"
)

// Values of a network's option isolate (podman-network-create(1)).
const (
	// IsolateOthers isolates the network from other networks that have the option, with any
	// value. It needs podman 4.2 and netavark 1.1.
	IsolateOthers = "true"
	// IsolateAll isolates the network from all others. It needs podman 4.6 and netavark 1.7
	// (containers/common pull request 1513, containers/netavark pull request 703).
	IsolateAll = "strict"
)

// keepIsolation keeps the rules of the option isolate in force. When any network with the
// option loses its last container, netavark's iptables driver removes the jump to these rules
// from FORWARD, although other networks still need it (seen in 1.4.0 and 1.14.0;
// src/firewall/varktables/types.rs, td_policy of that rule). Its nftables driver does not.
// netavark does not recognise a jump that has a comment, and leaves it in place. Without
// iptables, or its chain, there is nothing to do.
const keepIsolation = `for t in iptables ip6tables; do
	PATH=$PATH:/usr/sbin:/sbin
	command -v $t >/dev/null && $t -w -S NETAVARK_ISOLATION_1 >/dev/null 2>&1 || continue
	set -- FORWARD -m comment --comment podman-executor -j NETAVARK_ISOLATION_1
	$t -w -C "$@" 2>/dev/null || $t -w -I "$@" || exit 1
done`

// ErrNoRules is the error if podman runs as root: its rules are in the machine's own firewall,
// which the driver does not touch.
var ErrNoRules = errors.New("podman runs as root: its rules are in the host's firewall, which the driver does not change")

// KeepIsolated keeps networks with the option isolate apart even after another such network
// loses its last container. Call it while such a network has a container. It needs rootless
// podman on this machine; otherwise the error is [ErrRemote] or [ErrNoRules].
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
