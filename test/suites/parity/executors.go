package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"podman-executor/test/harness/runner"
)

// The images of test/harness/images.
const (
	defaultImage = "docker.io/library/debian:trixie-slim"
	runnerImage  = "localhost/podman-executor/runner:latest"
	helperImage  = "localhost/podman-executor/helper:latest"
)

// executor is one of the two: what gitlab-runner's config.toml and the driver's
// policy say.
type executor struct {
	name   string
	config func(c runner.Config, pipeline string) string
	policy string
}

// runnerConfig is what both config.toml have in common. There is one job at a time:
// each finds what the one before it has left.
const runnerConfig = `concurrent = 1
check_interval = 1
shutdown_timeout = 30

[[runners]]
  name = "parity"
  url = %q
  token = %q
  shell = "bash"
`

func runnerLines(c runner.Config) string { return fmt.Sprintf(runnerConfig, c.URL, c.Token) }

// docker is what an administrator would write for the docker executor, with
// the names of images as jobs write them. Its containers have the host's network,
// where GitLab listens on loopback, and those of jobs with services a network of
// the job's own: there alone services have names, over podman.
func (m *machine) docker() executor {
	return executor{name: "docker", config: func(c runner.Config, pipeline string) string {
		network := "    network_mode = \"host\"\n"
		if pipeline == "services" {
			network = "  [runners.feature_flags]\n    FF_NETWORK_PER_BUILD = true\n"
		}
		return runnerLines(c) + fmt.Sprintf(`  executor = "docker"
  [runners.docker]
    host = %q
    image = %q
    helper_image = %q
    pull_policy = "if-not-present"
    volumes = ["/cache"]
    allowed_images = ["debian:*", "localhost/podman-executor/*:*", %q]
    wait_for_services_timeout = 5
%s`, m.service.URL(), defaultImage, helperImage, m.registry.address+"/**", network)
	}}
}

// driver is the same for the driver.
func (m *machine) driver() executor {
	policy := fmt.Sprintf(`[general]
run_mechanism = "podman"
[general.podman]
runner_image = %q
default_image = %q
runner_options = ["--network=host"]
image_pull_policy = "if-not-present"
image_entry_point = true
image_allow_list = ['docker\.io/library/debian:.*', 'localhost/podman-executor/.*', '%s/.*']
wait_for_services_timeout = 5
environment = ["%s"]
`, runnerImage, defaultImage, regexp.QuoteMeta(m.registry.address), strings.Join(m.podmanEnv(), `", "`))
	return executor{name: "driver", policy: policy, config: func(c runner.Config, _ string) string {
		// The runner takes every custom executor for one like shell: see
		// docs/migrating-from-docker.md.
		text := runnerLines(c) + `  executor = "custom"
  environment = ["CI_DISPOSABLE_ENVIRONMENT=true"]
  [runners.custom]
`
		for _, stage := range []string{"config", "prepare", "run", "cleanup"} {
			text += fmt.Sprintf("    %s_exec = %q\n", stage, filepath.Join(c.Driver, "podman-executor-"+stage))
		}
		for _, stage := range []string{"config", "prepare"} {
			text += fmt.Sprintf("    %s_args = [\"--policy\", %q]\n", stage, filepath.Join(c.Dir, "policy.toml"))
		}
		return text + "    graceful_kill_timeout = 60\n"
	}}
}
