package podman

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containers/common/pkg/config"
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
	p.Observe = func(c Command) { lines = append(lines, strings.Join(c.Args, " ")) }
	return p, func() string { return strings.Join(lines, "\n") }
}

const (
	denied  = "Error: reading manifest 1 in r.example.org/x: denied: requested access to the resource is denied\n"
	unknown = "Error: reading manifest 1 in r.example.org/x: manifest unknown\n"
	outage  = "Error: pinging container registry r.example.org: dial tcp: connect: connection refused\n"
	missing = "Error: inspecting object: r.example.org/x:1: image not known\n"
	local   = `[{"Id": "local", "Digest": "d", "Size": 7, "Config": {"ExposedPorts": {"5432/tcp": {}}}, "HealthCheck": {"Test": ["CMD", "true"]}}]`
)

const (
	pullCall    = "image pull --quiet -- r.example.org/x:1"
	inspectCall = "image inspect -- r.example.org/x:1"
)

// TestResolveFails: where the pull fails, only "newer" takes the image that is
// there, and only if the registry has not refused it: another project may have
// pulled it.
func TestResolveFails(t *testing.T) {
	tests := []struct {
		policy  config.PullPolicy
		said    string
		inspect string // standard output of `image inspect`; empty: it is not there
		want    string // the image's ID; empty: the pull's error
		calls   string
	}{
		{config.PullPolicyNewer, outage, local, "local", pullCall + "\n" + inspectCall},
		{config.PullPolicyNewer, outage, "", "", pullCall + "\n" + inspectCall},
		{config.PullPolicyNewer, denied, local, "", pullCall},
		{config.PullPolicyNewer, unknown, local, "", pullCall},
		{config.PullPolicyAlways, outage, local, "", pullCall},
		{config.PullPolicyAlways, denied, local, "", pullCall},
		{config.PullPolicyMissing, denied, "", "", inspectCall + "\n" + pullCall},
	}
	for _, tt := range tests {
		files := map[string]string{"image-pull.stderr": tt.said, "image-pull.exit": "125", "image-inspect": tt.inspect}
		if tt.inspect == "" {
			files["image-inspect.stderr"], files["image-inspect.exit"] = missing, "125"
		}
		p, calls := answers(t, files)
		image, err := p.Resolve(t.Context(), "r.example.org/x:1", tt.policy, "")
		var pullError *ExitError
		switch {
		case tt.want == "":
			if !errors.As(err, &pullError) || pullError.Verb != "image pull" || image.ID != "" {
				t.Errorf("%v, %s: got %+v, %v", tt.policy, tt.said, image, err)
			}
		case err != nil || image.ID != tt.want || image.Pulled || !errors.As(image.PullError, &pullError):
			t.Errorf("%v, %s: got %+v, %v", tt.policy, tt.said, image, err)
		}
		if calls() != tt.calls {
			t.Errorf("%v, %s: got\n%s\nwant\n%s", tt.policy, tt.said, calls(), tt.calls)
		}
	}
}

// TestResolveInspects: what an image says of itself.
func TestResolveInspects(t *testing.T) {
	p, _ := answers(t, map[string]string{"image-inspect": local})
	image, err := p.Resolve(t.Context(), "r.example.org/x:1", config.PullPolicyNever, "")
	if err != nil || image.Digest != "d" || image.Size != 7 || image.HealthCheck == nil || strings.Join(image.HealthCheck.Test, " ") != "CMD true" {
		t.Errorf("got %+v, %v", image, err)
	}
	if _, ok := image.Config.ExposedPorts["5432/tcp"]; !ok || len(image.Config.ExposedPorts) != 1 {
		t.Errorf("got ports %v", image.Config.ExposedPorts)
	}
	p, _ = answers(t, map[string]string{"image-inspect": `[{"Id": "bare", "Config": {"ExposedPorts": null}, "HealthCheck": null}]`})
	if image, err := p.Resolve(t.Context(), "x", config.PullPolicyNever, ""); err != nil || image.HealthCheck != nil || len(image.Config.ExposedPorts) > 0 {
		t.Errorf("got %+v, %v", image, err)
	}
}
