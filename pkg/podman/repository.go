package podman

import (
	"context"
	"fmt"
	"strings"
)

// RepositoryImages returns the IDs of the images of the local storage that have a name of
// that repository, such as "registry.example.com/team/app", with whatever tag or digest.
// podman looks closer only at these, so other repositories' images cannot make it fail
// (containers/common libimage/filters.go, filterReferences).
func (p *Podman) RepositoryImages(ctx context.Context, repository string) ([]string, error) {
	// It is a pattern to podman: what stands in brackets is an address of IPv6.
	pattern := strings.NewReplacer(`[`, `\[`, `]`, `\]`).Replace(repository)
	out, err := p.list(ctx, "image", "ls", "--no-trunc", "--quiet", "--filter", "reference="+pattern)
	if err != nil {
		return nil, err
	}
	ids := strings.Fields(string(out))
	for i, id := range ids {
		ids[i] = strings.TrimPrefix(id, "sha256:")
		if !isID.MatchString(ids[i]) {
			return nil, fmt.Errorf("podman image ls: no ID in its answer")
		}
	}
	return ids, nil
}
