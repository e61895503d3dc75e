// Command config is the driver's config_exec: it tells gitlab-runner who the driver is and
// where builds and cache are.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"

	"gitlab.com/gitlab-org/gitlab-runner/executors/custom/api"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/site"
)

var program = driver.Program{
	Name: "podman-executor-config",
	About: "podman-executor-config tells gitlab-runner where the jobs of this driver build.\n" +
		"It is called by gitlab-runner: set it as config_exec in [runners.custom] of config.toml.\n" +
		"With --doctor it checks whether jobs can run on this machine; run that as gitlab-runner's user.",
	Help: help,
	Flags: func(flags *flag.FlagSet, call *driver.Call) {
		flags.BoolFunc("doctor", "", func(string) error {
			call.Command = doctor
			return nil
		})
	},
	Stage:   config,
	Explain: site.Explain,
}

func main() { os.Exit(driver.Main(program)) }

// config prints one JSON object, and nothing else, on standard output.
func config(_ context.Context, call *driver.Call) error {
	p, err := site.LoadPolicy(call)
	if err != nil {
		return err
	}
	j, err := job.Read(call.Getenv(api.JobResponseFileVariable))
	if err != nil {
		return err
	}
	owner, err := job.CurrentRunner()
	if err != nil {
		return fmt.Errorf("finding the runner's process: %w", err)
	}
	if err := leftovers.Mark(call.Getenv("TMPDIR"), owner, ""); err != nil {
		return err
	}
	builds, cache := j.Directories(p.General.DataDir)
	if err := json.NewEncoder(call.Stdout).Encode(output(builds, cache, !p.General.Podman.ShortProjectDir)); err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	return nil
}

// output returns no job_env: prepare finds the same policy itself, and run and cleanup read the
// plan.
func output(builds, cache string, shared bool) api.ConfigExecOutput {
	name, version := "podman-executor", driver.VersionNumber()
	return api.ConfigExecOutput{
		Driver:    &api.DriverInfo{Name: &name, Version: &version},
		Hostname:  hostname(),
		BuildsDir: &builds,
		CacheDir:  &cache,
		// Shared: the runner puts its token and the slot into the project directory, where
		// prepare finds them. Anywhere else a job's variables could forge them.
		BuildsDirIsShared: &shared,
	}
}

var plainHostname = regexp.MustCompile(`\A[A-Za-z0-9.-]+\z`)

// hostname returns nil for a name with characters that DNS does not have: the runner puts it
// into a script between double quotes (gitlab-runner shells/bash.go:537).
func hostname() *string {
	name, err := os.Hostname()
	if err != nil || !plainHostname.MatchString(name) {
		return nil
	}
	return &name
}
