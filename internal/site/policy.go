package site

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"podman-executor/internal/driver"
	"podman-executor/internal/trust"
	"podman-executor/pkg/policy"
)

// policyVariable names the policy file in the runner's own environment. A job's
// variables cannot set it: the runner prefixes theirs with CUSTOM_ENV_.
const policyVariable = "PODMAN_EXECUTOR_POLICY"

// systemPolicy is where the policy file is looked for first.
const systemPolicy = "/etc/podman-executor/policy.toml"

// LoadPolicy reads the policy: the file of --policy, else of
// PODMAN_EXECUTOR_POLICY, else /etc/podman-executor/policy.toml where it
// exists, else podman-executor/policy.toml in the user's configuration.
func LoadPolicy(c *driver.Call) (*policy.Policy, error) {
	name := policyFile(c)
	p, err := loadTrusted(name)
	var problems policy.Problems
	var untrusted *trust.Error
	switch {
	case errors.As(err, &untrusted):
		// Whoever can write the policy decides what every job may do.
		return nil, &driver.Fault{Err: fmt.Errorf("the policy cannot be trusted: %w", untrusted), Hint: trust.Hint(err)}
	case err == nil || errors.As(err, &problems):
		return p, err
	case errors.Is(err, os.ErrNotExist):
		return nil, &driver.Fault{Err: err, Hint: fmt.Sprintf("write a policy to %s, or name one with --policy FILE in config_args and prepare_args of [runners.custom]", name)}
	default:
		return nil, &driver.Fault{Err: err, Hint: fmt.Sprintf("make sure that %s is a file that gitlab-runner's user can read", name)}
	}
}

// loadTrusted opens the file, checks that nobody else can change it, and reads that same file.
func loadTrusted(name string) (*policy.Policy, error) {
	f, err := trust.Open(name, trust.Self())
	if err != nil {
		return nil, fmt.Errorf("opening the policy: %w", err)
	}
	defer f.Close()
	return policy.Parse(name, f)
}

// StateDir returns the directory for what outlives jobs: the policy's state_dir, or its
// default.
func StateDir(c *driver.Call, p *policy.Policy) string {
	if dir := p.General.StateDir; dir != "" {
		return dir
	}
	if dir := c.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "podman-executor")
	}
	if home := c.Getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "podman-executor")
	}
	return "/var/lib/podman-executor"
}

func policyFile(c *driver.Call) string {
	if c.Policy != "" {
		return c.Policy
	}
	if name := c.Getenv(policyVariable); name != "" {
		return name
	}
	config := c.Getenv("XDG_CONFIG_HOME")
	if config == "" && c.Getenv("HOME") != "" {
		config = filepath.Join(c.Getenv("HOME"), ".config")
	}
	if _, err := os.Stat(systemPolicy); err == nil || config == "" {
		return systemPolicy
	}
	if own := filepath.Join(config, "podman-executor", "policy.toml"); fileExists(own) {
		return own
	}
	return systemPolicy
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
