package samehost

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
)

func TestNames(t *testing.T) {
	got := Names("https://gitlab.example.com:8443/", "http://gitlab-ci-token:secret@gitlab.example.com/group/project.git",
		"https://git.example.com", "https://192.0.2.7", "https://[2001:db8::1]:8080/", "http://localhost:3000", "http://gdk.localhost", "", "no URL", "http://%zz")
	if want := []string{"gitlab.example.com", "git.example.com"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHere(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"localhost", "no-such-host.invalid"}
	if _, err := net.LookupHost(name); err == nil {
		names = append(names, name)
	}
	want := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "no-such-host.invalid" })
	if got := Here(t.Context(), names); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestIsOwn(t *testing.T) {
	own := []net.Addr{&net.IPNet{IP: net.IPv4(192, 0, 2, 7), Mask: net.CIDRMask(24, 32)}, &net.IPNet{IP: net.ParseIP("2001:db8::1"), Mask: net.CIDRMask(64, 128)}}
	for address, want := range map[string]bool{
		"127.0.1.1": true, "::1": true, "192.0.2.7": true, "::ffff:192.0.2.7": true, "2001:db8::1": true,
		"192.0.2.8": false, "2001:db8::2": false,
	} {
		if got := isOwn(netip.MustParseAddr(address), own); got != want {
			t.Errorf("%s: got %t", address, got)
		}
	}
}
