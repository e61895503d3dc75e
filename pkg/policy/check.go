package policy

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// The smallest and the largest packet of IPv4, in bytes (RFC 791).
const minMTU, maxMTU = 68, 65535

// checker looks for what a single value of a decoded policy does not show. It knows the
// line of each key, and the problems that are known so far.
type checker struct {
	policy   *Policy
	lines    map[string]int
	problems Problems
}

// check reports values out of their range, keys that are missing, and keys that need
// another.
func (c *checker) check() {
	p := c.policy
	g, pm := p.General, p.General.Podman
	c.checkRequired(nil, reflect.ValueOf(p).Elem())

	c.checkOneOf("general.run_mechanism", g.RunMechanism, "podman")
	c.checkOneOf("general.log_level", g.LogLevel, "error", "warning", "info", "debug")
	c.checkOneOf("general.log_format", g.LogFormat, "text", "json")
	c.checkAbsolute("general.data_dir", g.DataDir)
	if c.given("general.data_dir") && strings.Contains(g.DataDir, ":") {
		c.at("general.data_dir", "podman cannot mount a path with a colon: %q", g.DataDir)
	}
	c.checkAbsolute("general.state_dir", g.StateDir)
	c.checkSize("general.min_free_space", g.MinFreeSpace, 0, false)
	c.checkAbsolute("general.log_file", g.LogFile)
	c.checkAbsolute("general.podman.application_path", pm.ApplicationPath)

	c.checkRunnerBinary("general.podman.runner_binary", pm)

	c.checkImage("general.podman.runner_image", pm.RunnerImage)
	c.checkImage("general.podman.default_image", pm.DefaultImage)
	if pm.RunnerImage == "" && !pm.StepScriptOnly && !c.wrong("general.podman.runner_image") {
		c.missing("general.podman.runner_image", "the image for gitlab-runner's own steps; it must contain bash and git")
	}
	if pm.StepScriptOnly && g.DataDir == "" && !c.wrong("general.data_dir") {
		c.missing("general.data_dir", "step_script_only needs a host directory for builds and cache")
	}
	if pm.StepScriptOnly && pm.ShortProjectDir && !c.wrong("general.podman.short_project_dir") {
		c.at("general.podman.short_project_dir", "with step_script_only the path is that of the host's directory, in which each job at a time needs its own")
	}
	c.checkPullPolicies("general.podman.image_pull_policy", pm.ImagePullPolicy)
	c.checkPullPolicies("general.podman.allowed_pull_policies", pm.AllowedPullPolicies)
	c.checkAbsolute("general.podman.registry_auth_file", pm.RegistryAuthFile)
	c.checkUsers("general.podman.allowed_users", pm.AllowedUsers)
	if mtu := pm.NetworkMTU; mtu.Set && (mtu.Value < minMTU || mtu.Value > maxMTU) {
		c.at("general.podman.network_mtu", "want a number from %d to %d, got %d", minMTU, maxMTU, mtu.Value)
	}
	c.checkUsers("general.podman.allowed_service_users", pm.AllowedServiceUsers)
	c.checkServicesLimit(pm)
	c.checkVariableName("general.podman.user_volume_variable", pm.UserVolumeVariable)
	c.checkEndpoints(pm)
	c.checkLauncher()
	c.checkEnvironment("general.podman.environment", pm.Environment)
	c.checkMountOptions("general.podman.volumes.allowed_options", pm.Volumes.AllowedOptions)
	c.checkTimeouts("general.podman.timeouts", pm.Timeouts)
	c.checkUserContainer("general.podman.container", pm.Container)
	c.checkContainer("general.podman.service_container", pm.ServiceContainer)
	for _, list := range []struct {
		key   string
		words []string
	}{
		{"general.podman.runner_options", pm.RunnerOptions},
		{"general.podman.custom_options", pm.CustomOptions},
		{"general.podman.runner_entry_point", pm.RunnerEntryPoint},
		{"general.podman.user_entry_point", pm.UserEntryPoint},
	} {
		c.checkWords(list.key, list.words)
	}
}

func (c *checker) report(line int, key, what string) {
	c.problems = append(c.problems, Problem{File: c.policy.file, Line: line, Key: key, What: what})
}

// at reports a problem with a key at the line of the key.
func (c *checker) at(key, format string, args ...any) {
	c.report(c.lines[key], key, fmt.Sprintf(format, args...))
}

// missing reports an absent key at the line of the table that lacks it, unless there is
// a problem with that table already.
func (c *checker) missing(key, why string) {
	table := key
	line := 0
	for line == 0 && strings.Contains(table, ".") {
		table = table[:strings.LastIndex(table, ".")]
		if c.wrong(table) {
			return
		}
		line = c.lines[table]
	}
	c.report(max(line, 1), key, "missing: "+why)
}

// wrong reports whether a problem with the key is known already.
func (c *checker) wrong(key string) bool {
	return slices.ContainsFunc(c.problems, func(p Problem) bool { return p.Key == key })
}

// given reports whether the file has the key with a value of the right type.
func (c *checker) given(key string) bool { return c.lines[key] > 0 && !c.wrong(key) }

func (c *checker) checkRequired(path []string, table reflect.Value) {
	for i := range table.NumField() {
		f := table.Type().Field(i)
		name := f.Tag.Get("toml")
		if name == "" {
			continue
		}
		at := append(slices.Clone(path), name)
		key := strings.Join(at, ".")
		switch {
		case f.Tag.Get("required") != "" && c.lines[key] == 0:
			c.missing(key, "the key is required")
		case isTable(f.Type):
			c.checkRequired(at, table.Field(i))
		}
	}
}

func (c *checker) checkOneOf(key, value string, allowed ...string) {
	if c.given(key) && !slices.Contains(allowed, value) {
		c.at(key, "unknown value %q: want %s", value, strings.Join(allowed, ", "))
	}
}

func (c *checker) checkAbsolute(key, value string) {
	switch {
	case !c.given(key) || value == "":
	case !path.IsAbs(value):
		c.at(key, "want an absolute path, got %q", value)
	case path.Clean(value) != value || value == "/":
		c.at(key, "want a clean path below /, got %q", value)
	case strings.ContainsFunc(value, unicode.IsControl):
		c.at(key, "want a path without control characters, got %q", value)
	}
}

func (c *checker) checkRunnerBinary(key string, pm Podman) {
	if !c.given(key) || pm.RunnerBinary == NoRunnerBinary {
		return
	}
	c.checkAbsolute(key, pm.RunnerBinary)
	switch {
	case strings.Contains(pm.RunnerBinary, ":"):
		c.at(key, "podman cannot mount a path with a colon: %q", pm.RunnerBinary)
	case pm.StepScriptOnly && pm.RunnerBinary != "" && path.Base(pm.RunnerBinary) != "gitlab-runner":
		c.at(key, "with step_script_only the file must be called gitlab-runner, got %q", pm.RunnerBinary)
	}
}

func (c *checker) checkImage(key, name string) {
	if !c.given(key) || name == "" {
		return
	}
	if _, err := ParseImage(name); err != nil {
		c.at(key, "%v", err)
	}
}

// checkPullPolicies refuses an empty list: with it no image could be found.
func (c *checker) checkPullPolicies(key string, list PullPolicies) {
	if c.given(key) && len(list) == 0 {
		c.at(key, "want at least one pull policy")
	}
}

func (c *checker) checkUsers(key string, users []string) {
	if !c.given(key) {
		return
	}
	for i, user := range users {
		if _, err := parseUser(user); err != nil {
			c.at(key, "entry %d: %v", i+1, err)
		}
	}
}

// checkServicesLimit reports a limit that is too low for the policy's services: then no job
// could run.
func (c *checker) checkServicesLimit(pm Podman) {
	const services = "general.podman.services"
	limit := pm.servicesLimit()
	if limit < 0 || len(pm.Services) <= limit || c.wrong(services) || c.wrong(servicesLimitKey) {
		return
	}
	c.at(services, "%d services are more than services_limit allows (%d): raise it, or set it to -1", len(pm.Services), limit)
}

func (c *checker) checkVariableName(key, name string) {
	if c.given(key) && name != "" && !IsVariableName(name) {
		c.at(key, "want the name of a variable, got %q", name)
	}
}

// checkEnvironment checks the form of NAME=value. A message never shows the value: it may
// be a secret.
func (c *checker) checkEnvironment(key string, variables []string) {
	if !c.given(key) {
		return
	}
	for i, v := range variables {
		name, value, ok := strings.Cut(v, "=")
		if !ok || !IsVariableName(name) {
			c.at(key, "entry %d: want NAME=value", i+1)
		} else if strings.ContainsRune(value, 0) {
			c.at(key, "entry %d: the value of %s contains a NUL byte", i+1, name)
		}
	}
}

func (c *checker) checkWords(key string, words []string) {
	if !c.given(key) {
		return
	}
	for i, w := range words {
		if w == "" || strings.ContainsRune(w, 0) {
			c.at(key, "entry %d: want a non-empty string without NUL bytes", i+1)
		}
	}
}

// forbiddenMountOptions are not for jobs. They change the host's files (U), read or write
// other host paths (O takes upperdir=), or undo nodev and nosuid.
var forbiddenMountOptions = []string{"U", "O", "idmap", "dev", "suid", "ro", "rw"}

func (c *checker) checkMountOptions(key string, options []string) {
	if !c.given(key) {
		return
	}
	for i, o := range options {
		if o == "" || strings.ContainsAny(o, ":,= \t\n\x00") || slices.Contains(forbiddenMountOptions, o) {
			c.at(key, "entry %d: the mount option %q cannot be allowed", i+1, o)
		}
	}
}
