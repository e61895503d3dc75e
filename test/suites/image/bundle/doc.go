// Package bundle tests the bundle image as those who run it do: by the commands of
// its page (docs/image.md), as an unprivileged user whose podman is rootless, with
// real jobs of a GitLab on this machine. `make test-image` builds the image and runs
// the tests.
//
// The labels name one container, two volumes and two secrets, so there is one such
// machine at a time, and no test runs beside another.
package bundle
