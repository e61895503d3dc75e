package preflight

import "testing"

func TestIsolation(t *testing.T) {
	for says, want := range map[string]string{"4.3.1": "true", "4.9.3": "true", "5.0.0": "strict", "5.4.2": "strict", "6.0.0": "strict", "odd": "true"} {
		if got := Isolation(says); got != want {
			t.Errorf("podman %s: isolate=%s, want %s", says, got, want)
		}
	}
}

func TestApart(t *testing.T) {
	want(t, Apart(false, ""), OK, "isolated from each other", "")
	want(t, Apart(true, "at once"), Warning, "a container reached one on another network at once", `firewall_driver to "nftables"`)
}
