// Package e2e runs jobs as GitLab does: a coordinator on loopback, a real
// gitlab-runner, the four programs, real rootless podman and real containers.
//
// The tests need what `make test-e2e` sets up; PODMAN_EXECUTOR_BIN names the
// directory of the four programs, GITLAB_RUNNER the gitlab-runner.
package e2e
