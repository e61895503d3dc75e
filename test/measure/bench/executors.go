package main

import (
	"crypto/rand"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"podman-executor/test/harness/runner"
	"podman-executor/test/measure/bench/results"
)

//go:embed naive/*.sh
var naiveScripts embed.FS

// executor is one of the rivals.
type executor struct {
	results.Executor
	// section returns what config.toml has behind the lines that all have in
	// common; policy the driver's.
	section func(c runner.Config, k kind, socket string) string
	policy  func(dir string) string
	// service tells whether it needs a podman service.
	service bool
	// services tells whether its jobs can have services.
	services bool
	// scripts tells that what it calls are scripts, not the driver's programs.
	scripts bool
	// fails tells that its jobs are known to fail now and then.
	fails bool
	token string
}

// allExecutors are the rivals, in the order of the page.
func allExecutors() []executor {
	list := []executor{
		{
			Executor: results.Executor{Name: "driver", Title: "podman-executor", Says: "this driver: all steps in containers"},
			section:  driverSection, policy: driverPolicy, services: true,
		},
		{
			Executor: results.Executor{
				Name: "step_script_only", Title: "podman-executor, step_script_only",
				Says: "this driver with `step_script_only`: gitlab-runner's own steps run on the host",
			},
			section: driverSection, policy: stepScriptOnlyPolicy,
		},
		{
			Executor: results.Executor{
				Name: "docker", Title: "docker executor",
				Says: "gitlab-runner's docker executor over `podman system service`; its containers have the host's network, which is cheaper than podman's own, " +
					"except that those of jobs with services have a network for each job",
			},
			section: dockerSection, service: true, services: true, fails: true,
		},
		{
			Executor: results.Executor{
				Name: "naive", Title: "naive scripts",
				Says: "a custom executor of four shell scripts ([test/measure/bench/naive](../test/measure/bench/naive)) with one `podman run --rm` for each step",
			},
			section: naiveSection, scripts: true,
		},
		{
			Executor: results.Executor{Name: "shell", Title: "shell executor", Says: "gitlab-runner's shell executor: no container at all"},
			section:  shellSection,
		},
	}
	for i := range list {
		list[i].token = strings.ToLower(rand.Text()[:9])
	}
	return list
}

// commonLines is what all config.toml begin with.
const commonLines = `concurrent = %[1]d
check_interval = 1
shutdown_timeout = 30

[[runners]]
  name = "bench"
  url = %[2]q
  token = %[3]q
  shell = "bash"
  request_concurrency = %[1]d
`

func driverSection(c runner.Config, _ kind, _ string) string {
	text := "  executor = \"custom\"\n  [runners.custom]\n"
	for _, stage := range []string{"config", "prepare", "run", "cleanup"} {
		text += fmt.Sprintf("    %s_exec = %q\n", stage, filepath.Join(c.Driver, "podman-executor-"+stage))
	}
	for _, stage := range []string{"config", "prepare"} {
		text += fmt.Sprintf("    %s_args = [\"--policy\", %q]\n", stage, filepath.Join(c.Dir, "policy.toml"))
	}
	return text
}

func driverPolicy(dir string) string {
	return fmt.Sprintf(`[general]
run_mechanism = "podman"
state_dir = %q
%s[general.podman]
runner_image = %q
default_image = %q
runner_options = ["--network=host"] # GitLab listens on loopback
image_pull_policy = "missing"
%s`, filepath.Join(dir, "state"), policyLog(dir), runnerImage, debianImage, policyEnvironment())
}

func stepScriptOnlyPolicy(dir string) string {
	return fmt.Sprintf(`[general]
run_mechanism = "podman"
state_dir = %q
data_dir = %q
%s[general.podman]
step_script_only = true
default_image = %q
image_pull_policy = "missing"
%s`, filepath.Join(dir, "state"), filepath.Join(dir, "data"), policyLog(dir), debianImage, policyEnvironment())
}

// policyLog asks the driver for a log, see [rival.profile].
func policyLog(dir string) string {
	return fmt.Sprintf("log_file = %q\nlog_level = \"debug\"\nlog_format = \"json\"\n", driverLog(dir))
}

// policyEnvironment shows the driver's podman the storage of the tests, where it is
// not the user's own.
func policyEnvironment() string {
	if env := storage(); len(env) > 0 {
		return fmt.Sprintf("environment = [%q]\n", env[0])
	}
	return ""
}

func storage() []string {
	if file := os.Getenv("CONTAINERS_STORAGE_CONF"); file != "" {
		return []string{"CONTAINERS_STORAGE_CONF=" + file}
	}
	return nil
}

func dockerSection(_ runner.Config, k kind, socket string) string {
	network := "    network_mode = \"host\" # GitLab listens on loopback\n"
	if k.services {
		// There alone services have names, over podman.
		network = "  [runners.feature_flags]\n    FF_NETWORK_PER_BUILD = true\n"
	}
	return fmt.Sprintf(`  executor = "docker"
  [runners.docker]
    host = %q
    image = %q
    helper_image = %q
    pull_policy = "if-not-present"
    volumes = ["/cache"]
    allowed_images = ["debian:*", "localhost/podman-executor/*:*", "docker.io/library/debian:*"]
    wait_for_services_timeout = 30
%s`, socket, debianImage, helperImage, network)
}

func naiveSection(c runner.Config, _ kind, _ string) string {
	text := "  executor = \"custom\"\n  [runners.custom]\n"
	for _, stage := range []string{"config", "prepare", "run", "cleanup"} {
		text += fmt.Sprintf("    %s_exec = %q\n", stage, filepath.Join(filepath.Dir(c.Dir), "naive", stage+".sh"))
	}
	return text
}

func shellSection(c runner.Config, _ kind, _ string) string {
	return fmt.Sprintf("  executor = \"shell\"\n  builds_dir = %q\n  cache_dir = %q\n", filepath.Join(c.Dir, "builds"), filepath.Join(c.Dir, "cache"))
}

// writeNaive writes the scripts to where gitlab-runner may execute them.
func writeNaive(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "naive"), 0o755); err != nil {
		return err
	}
	for _, stage := range []string{"config", "prepare", "run", "cleanup"} {
		name := "naive/" + stage + ".sh"
		text, err := naiveScripts.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
			return err
		}
	}
	return nil
}
