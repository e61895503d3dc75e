//go:build e2e

package e2e

import (
	"testing"

	"podman-executor/test/harness/gitlab"
)

// blamed checks that a program refused a job, once, and told its author what is wrong.
func blamed(t *testing.T, run *gitlab.Run, program, said, hint string) {
	t.Helper()
	failed(t, run, "script_failure", 1)
	logs(t, run, "podman-executor-"+program+": error: ", said, "podman-executor-"+program+": hint: "+hint)
	lacks(t, run, "Will be retried in", "$ echo ran")
}

// whoStarts returns the program that starts the user container first.
func whoStarts() string {
	if overService() {
		return "run"
	}
	return "prepare"
}

// image:docker:user that the image does not have, however its container is started.
func TestUserThatTheImageLacks(t *testing.T) {
	t.Parallel()
	for program, keys := range map[string][]string{whoStarts(): nil, "run": {"start_per_step = true"}} {
		m := start(t, defaults(append(keys, `allowed_users = ["nosuch"]`)...))
		j := in(debianImage, job("no such user, "+program, "echo ran"))
		j.Image.ExecutorOptions.Docker.User = "nosuch"
		blamed(t, m.run(j), program, "unable to find user nosuch", "the image has no user `nosuch`")
		m.nothingLeft()
	}
}

// A USER of the image's own that it does not have.
func TestUserOfImageThatIsNotThere(t *testing.T) {
	t.Parallel()
	m := start(t, defaults(`image_pull_policy = "never"`))
	for user, want := range map[string]string{
		"ghost":     "the image has no user `ghost`",
		"0:nogroup": "the image has no group `nogroup`",
	} {
		image := build(t, "FROM "+busyboxImage+"\nUSER "+user+"\n")
		blamed(t, m.run(in(image, job("USER "+user, "echo ran"))), whoStarts(), "unable to find", want)
	}
	m.nothingLeft()
}

func TestServiceWithUserThatItsImageLacks(t *testing.T) {
	t.Parallel()
	m := start(t, defaults(`allowed_users = ["nosuch"]`, `image_pull_policy = "if-not-present"`))
	j := job("service of no such user", "echo ran")
	j.Services = []gitlab.Image{service(busyboxImage, "web")}
	j.Services[0].Command = []string{"sleep", "60"}
	j.Services[0].ExecutorOptions.Docker.User = "nosuch"
	blamed(t, m.run(j), "prepare", "starting the service "+busyboxImage, "the image has no user `nosuch`")
	m.nothingLeft()
}

// No registry is asked for an image below localhost/, whatever the pull policy.
func TestLocalhostImageThatIsNotThere(t *testing.T) {
	t.Parallel()
	m := start(t, defaults(`image_pull_policy = "if-not-present"`, `allowed_pull_policies = ["always", "if-not-present"]`))
	for _, pull := range []string{"always", "if-not-present"} {
		j := in("localhost/podman-executor/no-such-image:1", job(pull, "echo ran"))
		j.Image.PullPolicy = []string{pull}
		run := m.run(j)
		blamed(t, run, "prepare", "no registry has images of localhost/", "check the name of `image:` in .gitlab-ci.yml")
		lacks(t, run, "connection refused")
	}
}
