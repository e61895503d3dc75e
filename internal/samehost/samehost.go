// Package samehost is for a GitLab that runs on the machine of its jobs. Containers do not reach
// it by its name: podman copies the host's /etc/hosts, in which the name may have 127.0.1.1, and
// with pasta a container has the host's own address (podman issues 24672, 26494).
package samehost

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// patience bounds all look-ups of a job.
const patience = time.Second

// Names returns the names of hosts in URLs, each once. Addresses, localhost, which is each
// container itself, and what is not a URL are left out.
func Names(urls ...string) []string {
	var names []string
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		name := u.Hostname()
		_, notAddress := netip.ParseAddr(name)
		if name != "" && notAddress != nil && name != "localhost" && !strings.HasSuffix(name, ".localhost") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Here returns those of the names that lead to this machine.
func Here(ctx context.Context, names []string) []string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	own, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		return err != nil || !slices.ContainsFunc(found, func(a netip.Addr) bool { return isOwn(a, own) })
	})
}

func isOwn(a netip.Addr, own []net.Addr) bool {
	return a.IsLoopback() || slices.ContainsFunc(own, func(o net.Addr) bool {
		network, ok := o.(*net.IPNet)
		return ok && network.IP.Equal(net.IP(a.AsSlice()))
	})
}

// Address returns the address by which other machines, and containers, reach this one: that of
// the route to the internet. No packet is sent.
func Address() (netip.Addr, bool) {
	conn, err := net.Dial("udp4", "192.0.2.1:9")
	if err != nil {
		return netip.Addr{}, false
	}
	defer conn.Close()
	a := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	return a, !a.IsLoopback()
}
