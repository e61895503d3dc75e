package podman

import (
	"errors"
	"fmt"
	"testing"
)

// TestPullRefused: what podman and registries really say.
func TestPullRefused(t *testing.T) {
	tests := []struct {
		said string
		want bool
	}{
		// Docker Hub, podman 4 and 5: no such repository, or a private one
		{"initializing source docker://nosuch/image:latest: reading manifest latest in docker.io/nosuch/image: errors:; denied: requested access to the resource is denied; unauthorized: authentication required", true},
		{"unable to copy from source docker://nosuch/image:latest: initializing source docker://nosuch/image:latest: reading manifest latest in docker.io/nosuch/image: requested access to the resource is denied", true},
		// no such tag
		{"initializing source docker://debian:nosuch: reading manifest nosuch in docker.io/library/debian: manifest unknown", true},
		{"initializing source docker://registry.example.com/x:1: reading manifest 1 in registry.example.com/x: name unknown: repository name not known to registry", true},
		// Harbor
		{"initializing source docker://harbor.example.com/p/x:1: reading manifest 1 in harbor.example.com/p/x: unknown: artifact p/x:1 not found", true},
		// Quay
		{"initializing source docker://quay.io/x/y:1: reading manifest 1 in quay.io/x/y: unauthorized: access to the requested resource is not authorized", true},
		// GitHub's and GitLab's registry refuse the token
		{"initializing source docker://ghcr.io/x/y:1: Requesting bearer token: invalid status code from registry 403 (Forbidden)", true},
		{"initializing source docker://registry.gitlab.example.com/x:1: unable to retrieve auth token: invalid username/password: unauthorized: HTTP Basic: Access denied", true},
		{"initializing source docker://registry.example.com/x:1: reading manifest 1 in registry.example.com/x: authentication required", true},
		// what podman 4.3.1 makes of bare answers
		{"reading manifest 1 in 127.0.0.1:5000/a/b: denied", true},
		{"reading manifest 1 in 127.0.0.1:5000/a/b: unauthorized", true},
		{"reading manifest 1 in 127.0.0.1:5000/a/b: StatusCode: 403, no", true},
		{"reading manifest 1 in 127.0.0.1:5000/a/b: StatusCode: 404, page", true},
		// the host's own rules
		{`copying system image from manifest list: Source image rejected: Running image docker://evil/x:1 is rejected by policy.`, true},
		{"initializing source docker://evil.example/x:1: registry evil.example is blocked in /etc/containers/registries.conf or /etc/containers/registries.conf.d", true},
		// no image for this platform
		{"choosing an image from manifest list docker://x:1: no image found in manifest list for architecture arm64, variant \"v8\", OS linux", true},
		{"choosing an image from manifest list docker://x:1: no image found in image index for architecture arm64, variant \"v8\", OS linux", true},
		// the network
		{`initializing source docker://x:1: pinging container registry registry.example.com: Get "https://registry.example.com/v2/": dial tcp: lookup registry.example.com on 192.0.2.53:53: no such host`, false},
		{`pinging container registry 127.0.0.1:1: Get "https://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused`, false},
		{`Get "https://registry.example.com/v2/": net/http: TLS handshake timeout`, false},
		{"reading blob sha256:abc: read tcp 192.0.2.1:443: read: connection reset by peer", false},
		{"reading manifest 1 in x: received unexpected HTTP status: 503 Service Unavailable", false},
		{"reading manifest 1 in x: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: unauthorized", false},
		{"lookup registry.example.com: dial tcp: name unknown", false},
		{"reading manifest 1 in 127.0.0.1:5000/a/b: StatusCode: 429, ", false},
		{"pinging container registry 127.0.0.1:5000: invalid status code from registry 503 (Service Unavailable)", false},
		{`initializing source docker://127.0.0.1:5000/unauthorized:1: Get "http://127.0.0.1:5000/v2/": EOF`, false},
		// the machine
		{`writing blob: storing blob to file "/var/tmp/storage1": open /var/tmp/storage1: permission denied`, false},
		{`writing blob: storing blob to file "/var/tmp/storage1": write /var/tmp/storage1: no space left on device`, false},
		{`kernel does not support overlay fs: exec: "fuse-overlayfs": executable file not found in $PATH`, false},
		{`Get "https://registry.example.com/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`, false},
		{"", false},
	}
	for _, tt := range tests {
		err := fmt.Errorf("getting the image: %w", &ExitError{Verb: "image pull", Code: 125, Stderr: tt.said})
		if got := PullRefused(err); got != tt.want {
			t.Errorf("PullRefused(%q) = %v", tt.said, got)
		}
	}
	if PullRefused(errors.New("manifest unknown")) {
		t.Error("an error that is not podman's is taken for one")
	}
}

// TestPullWorthRetrying: what a second try may help, and podman has not tried
// again by itself.
func TestPullWorthRetrying(t *testing.T) {
	tests := []struct {
		said    string
		retried bool
		want    bool
	}{
		{"reading manifest 1 in x: received unexpected HTTP status: 503 Service Unavailable", false, true},
		{"pinging container registry x: invalid status code from registry 502 (Bad Gateway)", false, true},
		{"reading manifest 1 in x: StatusCode: 500, oh", false, true},
		{"reading manifest 1 in x: StatusCode: 429, ", false, true},
		{"reading blob sha256:abc: received unexpected HTTP status: 504 Gateway Timeout", false, true},
		{`Get "https://x/v2/": dial tcp: lookup x on 192.0.2.53:53: no such host`, false, true},
		// podman 4.3.1, where an image that has the same layers was removed meanwhile
		{`writing blob: adding layer with blob "sha256:abc": layer not known`, false, true},
		{`Get "https://x/v2/": dial tcp: lookup x: server misbehaving`, false, true},
		{`Get "https://x/v2/": net/http: TLS handshake timeout`, false, true},
		{`Get "https://x/v2/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`, false, true},
		{`Get "https://x/v2/": dial tcp 192.0.2.1:443: connect: connection refused`, true, false},
		{`Get "https://x/v2/": EOF`, true, false},
		{"reading manifest 1 in x: toomanyrequests: slow down", true, false},
		{"reading manifest 1 in x: manifest unknown", false, false},
		{"reading manifest 1 in x: denied: requested access to the resource is denied", false, false},
		{`Get "https://x/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`, false, false},
		{"write /var/tmp/storage1: no space left on device", false, false},
		{"initializing source docker://x/toomanyrequests:eof: reading manifest 503 in x: manifest unknown", false, false},
		{"", false, false},
	}
	for _, tt := range tests {
		err := fmt.Errorf("getting the image: %w", &ExitError{Verb: "image pull", Code: 125, Stderr: tt.said, retried: tt.retried})
		if got := PullWorthRetrying(err); got != tt.want {
			t.Errorf("PullWorthRetrying(%q) = %v", tt.said, got)
		}
	}
	// podman says it in warnings, before the error.
	const warning = `time="2026-11-21T20:42:56Z" level=warning msg="Failed, retrying in 1s ... (1/3). Error: x: EOF"` + "\n"
	for said, want := range map[string]bool{warning + "Error: x: EOF\n": false, "Error: x: EOF\n": true} {
		p, _ := answers(t, map[string]string{"image-pull.stderr": said, "image-pull.exit": "125"})
		if _, err := p.Pull(t.Context(), Pull{Name: "x"}); PullWorthRetrying(err) != want {
			t.Errorf("%q: %v", said, err)
		}
	}
}

func TestImageUnknown(t *testing.T) {
	tests := []struct {
		said string
		want bool
	}{
		{"inspecting object: docker.io/library/nosuch:1: image not known", true},
		{"docker.io/library/nosuch:1: image not known", true},
		{"inspecting object: no such image docker.io/library/nosuch:1", true},
		{"database is locked", false},
		{"open images.json: permission denied", false},
	}
	for _, tt := range tests {
		if got := imageUnknown(&ExitError{Code: 125, Stderr: tt.said}); got != tt.want {
			t.Errorf("imageUnknown(%q) = %v", tt.said, got)
		}
	}
}
