package podman

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// answers returns a podman that answers with those files, and its calls so far.
func answers(t *testing.T, files map[string]string) (*Podman, func() string) {
	t.Helper()
	p, dir := fake(t, "answers")
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	p.Observe = func(c Command) {
		args := slices.Clone(c.Args)
		for i, arg := range args {
			if len(arg) > 80 && strings.Contains(arg, "{{") {
				args[i] = "TEMPLATE"
			}
		}
		lines = append(lines, strings.Join(args, " "))
	}
	return p, func() string { return strings.Join(lines, "\n") }
}

const (
	denied  = "Error: reading manifest 1 in r.example.org/x: denied: requested access to the resource is denied\n"
	missing = "Error: inspecting object: r.example.org/x:1: image not known\n"
	local   = `[{"Id": "local", "Digest": "d", "Size": 7, "Config": {"ExposedPorts": {"5432/tcp": {}}}, "HealthCheck": {"Test": ["CMD", "true"]}}]`
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
	want := "image pull --quiet -- r.example.org/x:1\nimage inspect --format TEMPLATE -- " + pulledID + "\nimage pull --quiet --platform linux/arm64/v8 --authfile /a -- -x\nimage inspect --format TEMPLATE -- " + pulledID
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

func TestVersion(t *testing.T) {
	for answer, want := range map[string]string{
		`{"Client": {"Version": "4.3.1", "OsArch": "linux/amd64"}}`:                                                          "4.3.1 linux/amd64",
		`{"Client": {"Version": "5.4.2", "OsArch": "linux/amd64"}, "Server": {"Version": "4.3.1", "OsArch": "linux/arm64"}}`: "4.3.1 linux/arm64",

		`{"Client": {"Version": "4.3.1"}}`: "4.3.1 ",
	} {
		p, _ := answers(t, map[string]string{"version": answer})
		v, err := p.Version(t.Context())
		if got := v.Version + " " + v.Native().String(); err != nil || got != want || v.Service != strings.Contains(answer, "Server") {
			t.Errorf("%s: %q, %v, want %q", answer, got, err, want)
		}
	}
	p, _ := answers(t, map[string]string{"version": `{"Client": {}}`})
	if _, err := p.Version(t.Context()); err == nil {
		t.Error("no version is one")
	}
}
