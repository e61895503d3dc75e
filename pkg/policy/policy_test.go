package policy

import "testing"

func TestWhere(t *testing.T) {
	p := policyWith(t, "services_limit = 3\n")
	for key, want := range map[string]string{
		"general.podman.services_limit": "p.toml:5: general.podman.services_limit",
		"general.podman.launcher":       "p.toml: general.podman.launcher",
	} {
		if got := p.Where(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}
