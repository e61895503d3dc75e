package podman

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// The words of 4.3.1, and of later versions.
func TestNameTaken(t *testing.T) {
	for said, want := range map[string]bool{
		`Error: creating container storage: the container name "x" is already in use by 7116aa6a3463. You have to remove that container to be able to reuse that name: that name is already in use`:                                                true,
		`Error: creating container storage: the container name "x" is already in use by 7116aa6a3463. You have to remove that container to be able to reuse that name: that name is already in use, or use --replace to instruct Podman to do so.`: true,
		`Error: address already in use`:            false,
		`Error: the container name "x" is invalid`: false,
	} {
		p, _ := answers(t, map[string]string{"create.stderr": said, "create.exit": "125"})
		_, err := p.Create(t.Context(), Create{Name: "x", Image: "y"})
		if got := NameTaken(err); err == nil || got != want {
			t.Errorf("%s: %v, want %v (%v)", said, got, want, err)
		}
	}
	if NameTaken(nil) {
		t.Error("no error says so")
	}
}

func TestPullLacksID(t *testing.T) {
	const words = `writing blob: adding layer with blob "sha256:12": Error processing tar file(exit status 1): potentially insufficient UIDs or GIDs available in user namespace (requested `
	for said, want := range map[string]int64{
		words + "65534:5 for /x): Check /etc/subuid and /etc/subgid: lchown /x: invalid argument": 65534,
		words + "5:119525 for /x): Check":           119525,
		words + "0:0 for /x (requested 7:7 for /y)": 0,
		words + "99999999999:0 for /x)":             -1,
		words + "a:b for /x)":                       -1,
		"unauthorized: authentication required":     -1,
	} {
		id, ok := PullLacksID(&ExitError{Verb: "image pull", Code: 125, Stderr: said})
		if !ok {
			id = -1
		}
		if id != want {
			t.Errorf("%s: %d, want %d", said, id, want)
		}
	}
	if _, ok := PullLacksID(errors.New(words + "1:1 for /x)")); ok {
		t.Error("an error that is not podman's")
	}
}

// An image that podman cannot read: the words of 4.3.1 and 5.4.2.
func TestImageUnreadable(t *testing.T) {
	const id = "3b76f5f2d7226542ea20dea7e7ad47c06d9fcf29f35c69bb5902f4be2566ebb5"
	pulled := func(said string) error {
		p, _ := answers(t, map[string]string{"image-pull.stderr": said, "image-pull.exit": "125"})
		_, err := p.Pull(t.Context(), Pull{Name: "x"})
		return err
	}
	for said, want := range map[string]bool{
		"Error: checking platform of image " + id + ": inspecting image: json: cannot unmarshal number into Go struct field Schema2V1Image.docker_version of type string":           true,
		"Error: checking platform of image r.example.com/x:1: inspecting image: json: cannot unmarshal string into Go struct field Schema2Config.config.Healthcheck of type y":      true,
		`Error: checking platform of image r.example.com/x:1: parsing image platform: "` + huge + `" is an invalid component of "linux/` + huge + `": platform specifier component`: true,
		// A registry that says nonsense has put nothing into the storage.
		"Error: initializing source docker://r.example.com/x:1: json: cannot unmarshal number into Go value": false,
		"Error: checking platform of image " + id + ": locating image: input/output error":                   false,
	} {
		if got := ImageUnreadable(pulled(said)); got != want {
			t.Errorf("%.200s: got %v", said, got)
		}
	}
	p, _ := answers(t, map[string]string{"image-ls.stderr": `Error: retrieving label for image "` + id + `": you may need to remove the image to resolve the error: ` + huge, "image-ls.exit": "125"})
	_, err := p.Images(t.Context())
	if diff := cmp.Diff([]string{id}, ImagesNamed(err)); !Failed(err) || diff != "" {
		t.Errorf("the images that podman names (-want +got):\n%s", diff)
	}
}
