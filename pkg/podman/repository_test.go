package podman

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The IDs are those that podman's other answers have; a repository is a pattern to podman.
func TestRepositoryImages(t *testing.T) {
	id := func(digit string) string { return strings.Repeat(digit, 64) }
	for repository, pattern := range map[string]string{
		"registry.example.com/team/app": "registry.example.com/team/app", "[::1]:5000/x": `\[::1\]:5000/x`,
	} {
		p, calls := answers(t, map[string]string{"image-ls": `{"ID": "sha256:` + id("a") + `"}` + "\n" + `{"ID": "` + id("b") + `"}` + "\n"})
		got, err := p.RepositoryImages(t.Context(), repository)
		if diff := cmp.Diff([]string{id("a"), id("b")}, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if got, want := calls(), "image ls --no-trunc --filter reference="+pattern+` --format {"ID": {{json .ImageSummary.ID}}}`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	p, _ := answers(t, map[string]string{"image-ls": `{"ID": "<none>"}`})
	if _, err := p.RepositoryImages(t.Context(), "x"); err == nil || err.Error() != "podman image ls: no ID in its output" {
		t.Errorf("garbage: %v", err)
	}
}
