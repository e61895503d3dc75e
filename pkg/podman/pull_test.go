package podman

import (
	"errors"
	"testing"
)

const (
	denied  = "Error: reading manifest 1 in r.example.org/x: denied: requested access to the resource is denied\n"
	missing = "Error: inspecting object: r.example.org/x:1: image not known\n"
	local   = `[{"Id": "local", "Digest": "d", "Size": 7, "Config": {"ExposedPorts": {"5432/tcp": {}}}, "HealthCheck": {"Test": ["CMD", "true"]}}]`
)

const pulledID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestPull(t *testing.T) {
	p, calls := answers(t, map[string]string{"image-pull": pulledID + "\n", "image-inspect": local})
	image, err := p.Pull(t.Context(), Pull{Name: "r.example.org/x:1"})
	if err != nil || image.ID != "local" {
		t.Errorf("got %+v, %v", image, err)
	}
	if _, err := p.Pull(t.Context(), Pull{Name: "-x", AuthFile: "/a", Platform: Platform{"linux", "arm64", "v8"}}); !errors.Is(err, ErrPlatform) || !PullRefused(err) {
		t.Errorf("an image that says nothing of its platform: %v", err)
	}
	want := "image pull -- r.example.org/x:1\nimage inspect --format TEMPLATE -- " + pulledID + "\nimage pull --platform linux/arm64/v8 --authfile /a -- -x\nimage inspect --format TEMPLATE -- " + pulledID
	if calls() != want {
		t.Errorf("got\n%s\nwant\n%s", calls(), want)
	}
	p, _ = answers(t, map[string]string{"image-pull": pulledID + "\n", "image-inspect": `[{"Id": "local", "Os": "linux", "Architecture": "arm"}]`})
	if _, err := p.Pull(t.Context(), Pull{Name: "x", Platform: Platform{"linux", "arm", "v6"}}); err != nil {
		t.Errorf("podman 4 says no variant: %v", err)
	}
	p, _ = answers(t, map[string]string{"image-pull.stderr": denied, "image-pull.exit": "125"})
	if _, err := p.Pull(t.Context(), Pull{Name: "x"}); !PullRefused(err) {
		t.Errorf("got %v", err)
	}
	for _, answer := range []string{"", "\n", "local\n", "<html>502</html>\n", pulledID[1:] + "\n"} {
		p, _ = answers(t, map[string]string{"image-pull": answer})
		if _, err := p.Pull(t.Context(), Pull{Name: "x"}); err == nil || err.Error() != "podman image pull: no ID in its output" {
			t.Errorf("%q: %v", answer, err)
		}
	}
}
