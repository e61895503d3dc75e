package podman

import "context"

// HealthCheck is an image's HEALTHCHECK: "CMD" and words, or "CMD-SHELL" and a line for sh. It
// is empty if the image has none.
type HealthCheck struct{ Test []string }

// Healthy runs an image's health check in its container.
func (p *Podman) Healthy(ctx context.Context, name string, check HealthCheck) bool {
	if len(check.Test) < 2 {
		return true
	}
	words := check.Test[1:]
	if check.Test[0] == "CMD-SHELL" {
		words = append([]string{"sh", "-c"}, words...)
	}
	_, err := p.Output(ctx, append([]string{"exec", "--", name}, words...)...)
	return err == nil
}
