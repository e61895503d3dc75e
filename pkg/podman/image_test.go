package podman

import (
	"errors"
	"strings"
	"testing"
)

// TestLocal: an image of the storage is the one that is meant only where its
// platform fits, and where a digest was asked for, its repository.
func TestLocal(t *testing.T) {
	const digest = "@sha256:0123456789012345678901234567890123456789012345678901234567890123"
	image := func(platform, digests string) string {
		return `[{"Id": "local", ` + platform + `, "RepoDigests": [` + digests + `]}]`
	}
	const amd64, arm64, arm = `"Os": "linux", "Architecture": "amd64"`, `"Os": "linux", "Architecture": "arm64"`, `"Os": "linux", "Architecture": "arm"`
	tests := []struct {
		name, inspect string
		platform      Platform
		want          string // the error, empty: the image
	}{
		{"r.example.org/x:1", image(amd64, ""), Platform{}, ""},
		{"r.example.org/x:1", image(amd64, ""), Platform{"linux", "amd64", ""}, ""},
		{"r.example.org/x:1", image(amd64, ""), Platform{"linux", "arm64", ""}, "the image is not in the local storage: r.example.org/x:1 for linux/arm64, only for linux/amd64"},
		{"r.example.org/x:1", image(arm64, ""), Platform{"linux", "arm64", "v8"}, ""},
		{"r.example.org/x:1", image(arm64+`, "Variant": "v8"`, ""), Platform{"linux", "arm64", ""}, ""},
		{"r.example.org/x:1", image(arm, ""), Platform{"linux", "arm", "v6"}, "the image is not in the local storage: r.example.org/x:1 for linux/arm/v6, only for linux/arm"},
		{"r.example.org/x:1", image(arm+`, "Variant": "v7"`, ""), Platform{"linux", "arm", "v6"}, "the image is not in the local storage: r.example.org/x:1 for linux/arm/v6, only for linux/arm/v7"},
		{"r.example.org/x" + digest, image(amd64, `"r.example.org/y`+digest+`", "r.example.org/x`+digest+`"`), Platform{}, ""},
		// podman finds it, in another repository
		{"r.example.org/z" + digest, image(amd64, `"r.example.org/x`+digest+`"`), Platform{}, "the image is not in the local storage: r.example.org/z" + digest},
	}
	for _, tt := range tests {
		p, calls := answers(t, map[string]string{"image-inspect": tt.inspect})
		got, err := p.Local(t.Context(), tt.name, tt.platform)
		if tt.want == "" && (err != nil || got.ID != "local") || tt.want != "" && (!errors.Is(err, ErrNoImage) || err.Error() != tt.want) {
			t.Errorf("%s for %s: %+v, %v", tt.name, tt.platform, got, err)
		}
		want := "image inspect --format TEMPLATE -- " + tt.name
		if tt.platform.Variant != "" {
			want += "\nimage inspect --format {{json (printf `%.4096s` .Variant)}} -- local"
		}
		if calls() != want {
			t.Errorf("calls\n%s", calls())
		}
	}
	for said, unknown := range map[string]bool{missing: true, "Error: database is malformed": false} {
		p, _ := answers(t, map[string]string{"image-inspect.stderr": said, "image-inspect.exit": "125"})
		if _, err := p.Local(t.Context(), "x", Platform{}); err == nil || errors.Is(err, ErrNoImage) != unknown {
			t.Errorf("%s is %v", said, err)
		}
	}
}

// TestInspects: what an image says of itself.
func TestInspects(t *testing.T) {
	p, _ := answers(t, map[string]string{"image-inspect": local})
	image, err := p.Local(t.Context(), "r.example.org/x:1", Platform{})
	if err != nil || image.Digest != "d" || image.Size != 7 || strings.Join(image.HealthCheck.Test, " ") != "CMD true" {
		t.Errorf("got %+v, %v", image, err)
	}
	if _, ok := image.Config.ExposedPorts["5432/tcp"]; !ok || len(image.Config.ExposedPorts) != 1 {
		t.Errorf("got ports %v", image.Config.ExposedPorts)
	}
	p, _ = answers(t, map[string]string{"image-inspect": `[{"Id": "bare", "Config": {"ExposedPorts": null}, "HealthCheck": null}]`})
	if image, err := p.Local(t.Context(), "x", Platform{}); err != nil || image.HealthCheck.Test != nil || len(image.Config.ExposedPorts) > 0 {
		t.Errorf("got %+v, %v", image, err)
	}
}
