package podman

import (
	"context"
	"fmt"
	"strings"
)

// RepositoryImages returns the IDs of the images of the local storage that have a name of
// that repository, such as "registry.example.com/team/app", with any tag or digest.
// podman looks closer only at these, so other repositories' images cannot make it fail
// (containers/common libimage/filters.go, filterReferences).
func (p *Podman) RepositoryImages(ctx context.Context, repository string) ([]string, error) {
	// It is a pattern to podman: what stands in brackets is an address of IPv6.
	pattern := strings.NewReplacer(`[`, `\[`, `]`, `\]`).Replace(repository)
	rows, err := listed[struct{ ID string }](ctx, p, "image", "ls", "--no-trunc", "--filter", "reference="+pattern, "--format", `{"ID": {{json .ImageSummary.ID}}}`)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = strings.TrimPrefix(row.ID, "sha256:")
		if !isID.MatchString(ids[i]) {
			return nil, fmt.Errorf("podman image ls: no ID in its output")
		}
	}
	return ids, nil
}
