package credentials

import (
	"testing"

	"podman-executor/internal/job"
	"podman-executor/pkg/policy"
)

// TestMatches: a credential is for an image where podman would use it, by whatever of
// the registry's names either is written: that restricts the repository.
func TestMatches(t *testing.T) {
	hub := []string{"docker.io", "index.docker.io", "registry-1.docker.io", "Registry-1.Docker.IO", "https://index.docker.io/v1/"}
	tests := []struct {
		keys, images []string
		want         bool
	}{
		{hub, []string{"docker.io/team/app", "index.docker.io/team/app:1", "registry-1.docker.io/team/app", "REGISTRY-1.docker.io/team/app", "team/app"}, true},
		{hub, []string{"docker.io:443/team/app", "registry-1.docker.io:443/team/app", "hub.docker.com/team/app", "evil.io/registry-1.docker.io/team/app"}, false},
		{[]string{"registry-1.docker.io/team", "docker.io/team/app"}, []string{"registry-1.docker.io/team/app", "team/app"}, true},
		{[]string{"registry-1.docker.io/team"}, []string{"registry-1.docker.io/teams/app"}, false},
		{[]string{"registry.example.com", "https://Registry.Example.COM/"}, []string{"registry.example.com/x", "REGISTRY.example.com/x"}, true},
		// podman does not take one for the other, either.
		{[]string{"registry.example.com"}, []string{"registry.example.com:443/x", "registry.example.com:0443/x"}, false},
		{[]string{"registry.example.com:443"}, []string{"registry.example.com/x"}, false},
		{[]string{"[::1]:5000"}, []string{"[::1]:5000/x"}, true},
		{[]string{"[::1]:5000"}, []string{"[0:0:0:0:0:0:0:1]:5000/x", "[::1]/x"}, false},
		{[]string{"XN--bcher-kva.example"}, []string{"xn--bcher-kva.example/x"}, true},
	}
	for _, test := range tests {
		for _, key := range test.keys {
			s, _ := Collect("", File{}, []job.Credential{{URL: key, Username: "u", Password: "p"}})
			for _, name := range test.images {
				image, err := policy.ParseImage(name)
				if err != nil {
					t.Fatal(err)
				}
				if _, matches, err := s.Write(t.TempDir(), image.Repository()); err != nil || matches != test.want {
					t.Errorf("a credential for %s, the image %s: %v, %v, want %v", key, name, matches, err, test.want)
				}
			}
		}
	}
}
