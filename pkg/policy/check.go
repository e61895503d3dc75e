package policy

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// checkPullPolicies refuses an empty list: nothing could be pulled by it.
func (d *decoder) checkPullPolicies(key string, list PullPolicies) {
	if d.given(key) && len(list) == 0 {
		d.at(key, "want at least one pull policy")
	}
}

// The smallest packet of IPv4 and the largest that there is, in bytes (RFC 791).
const minMTU, maxMTU = 68, 65535

// check reports what no single value shows: values out of their range, keys
// that are missing, keys that need another.
func (d *decoder) check() {
	p := d.policy
	g, pm := p.General, p.General.Podman
	d.required(nil, reflect.ValueOf(p).Elem())

	d.oneOf("general.run_mechanism", g.RunMechanism, "podman")
	d.oneOf("general.log_level", g.LogLevel, "error", "warning", "info", "debug")
	d.oneOf("general.log_format", g.LogFormat, "text", "json")
	d.absolute("general.data_dir", g.DataDir)
	if d.given("general.data_dir") && strings.Contains(g.DataDir, ":") {
		d.at("general.data_dir", "podman cannot mount a path with a colon: %q", g.DataDir)
	}
	d.absolute("general.state_dir", g.StateDir)
	d.size("general.min_free_space", g.MinFreeSpace, 0, false)
	d.absolute("general.log_file", g.LogFile)
	d.absolute("general.podman.application_path", pm.ApplicationPath)

	d.runnerBinary("general.podman.runner_binary", pm)

	d.image("general.podman.runner_image", pm.RunnerImage)
	d.image("general.podman.default_image", pm.DefaultImage)
	if pm.RunnerImage == "" && !pm.StepScriptOnly && !d.wrong("general.podman.runner_image") {
		d.missing("general.podman.runner_image", "the image of the steps that gitlab-runner makes itself; it must hold bash and git")
	}
	if pm.StepScriptOnly && g.DataDir == "" && !d.wrong("general.data_dir") {
		d.missing("general.data_dir", "step_script_only needs a host directory for builds and cache")
	}
	d.checkPullPolicies("general.podman.image_pull_policy", pm.ImagePullPolicy)
	d.checkPullPolicies("general.podman.allowed_pull_policies", pm.AllowedPullPolicies)
	d.absolute("general.podman.registry_auth_file", pm.RegistryAuthFile)
	d.users("general.podman.allowed_users", pm.AllowedUsers)
	if mtu := pm.NetworkMTU; mtu.Set && (mtu.Value < minMTU || mtu.Value > maxMTU) {
		d.at("general.podman.network_mtu", "want a number from %d to %d, got %d", minMTU, maxMTU, mtu.Value)
	}
	d.users("general.podman.allowed_service_users", pm.AllowedServiceUsers)
	d.servicesLimit(pm)
	d.variableName("general.podman.user_volume_variable", pm.UserVolumeVariable)
	d.services(pm)
	d.launcher()
	d.environment("general.podman.environment", pm.Environment)
	d.mountOptions("general.podman.volumes.allowed_options", pm.Volumes.AllowedOptions)
	d.timeouts("general.podman.timeouts", pm.Timeouts)
	d.userContainer("general.podman.container", pm.Container)
	d.container("general.podman.service_container", pm.ServiceContainer)
	for _, list := range []struct {
		key   string
		words []string
	}{
		{"general.podman.runner_options", pm.RunnerOptions},
		{"general.podman.custom_options", pm.CustomOptions},
		{"general.podman.runner_entry_point", pm.RunnerEntryPoint},
		{"general.podman.user_entry_point", pm.UserEntryPoint},
	} {
		d.words(list.key, list.words)
	}
}

// at reports a problem with a key where the key stands.
func (d *decoder) at(key, format string, args ...any) {
	d.problem(Problem{Line: d.policy.lines[key], Key: key, What: fmt.Sprintf(format, args...)})
}

// missing reports an absent key at the line of the table that lacks it, unless
// something is wrong with that table already.
func (d *decoder) missing(key, why string) {
	table := key
	line := 0
	for line == 0 && strings.Contains(table, ".") {
		table = table[:strings.LastIndex(table, ".")]
		if d.wrong(table) {
			return
		}
		line = d.policy.lines[table]
	}
	d.problem(Problem{Line: max(line, 1), Key: key, What: "missing: " + why})
}

// wrong tells whether a problem with the key is known already.
func (d *decoder) wrong(key string) bool {
	return slices.ContainsFunc(d.problems, func(p Problem) bool { return p.Key == key })
}

// given tells whether the file has the key with a value of the right type.
func (d *decoder) given(key string) bool { return d.policy.lines[key] > 0 && !d.wrong(key) }

func (d *decoder) required(path []string, table reflect.Value) {
	for i := range table.NumField() {
		f := table.Type().Field(i)
		name := f.Tag.Get("toml")
		if name == "" {
			continue
		}
		at := append(slices.Clone(path), name)
		key := strings.Join(at, ".")
		switch {
		case f.Tag.Get("required") != "" && d.policy.lines[key] == 0:
			d.missing(key, "the key is required")
		case isTable(f.Type):
			d.required(at, table.Field(i))
		}
	}
}

func (d *decoder) oneOf(key, value string, allowed ...string) {
	if d.given(key) && !slices.Contains(allowed, value) {
		d.at(key, "unknown value %q: want %s", value, strings.Join(allowed, ", "))
	}
}

func (d *decoder) absolute(key, value string) {
	switch {
	case !d.given(key) || value == "":
	case !path.IsAbs(value):
		d.at(key, "want an absolute path, got %q", value)
	case path.Clean(value) != value || value == "/":
		d.at(key, "want a clean path below /, got %q", value)
	case strings.ContainsFunc(value, unicode.IsControl):
		d.at(key, "want a path without control characters, got %q", value)
	}
}

func (d *decoder) runnerBinary(key string, pm Podman) {
	if !d.given(key) || pm.RunnerBinary == NoRunnerBinary {
		return
	}
	d.absolute(key, pm.RunnerBinary)
	switch {
	case strings.Contains(pm.RunnerBinary, ":"):
		d.at(key, "podman cannot mount a path with a colon: %q", pm.RunnerBinary)
	case pm.StepScriptOnly && pm.RunnerBinary != "" && path.Base(pm.RunnerBinary) != "gitlab-runner":
		d.at(key, "with step_script_only the file must be called gitlab-runner, got %q", pm.RunnerBinary)
	}
}

func (d *decoder) image(key, name string) {
	if !d.given(key) || name == "" {
		return
	}
	if _, err := ParseImage(name); err != nil {
		d.at(key, "%v", err)
	}
}

func (d *decoder) users(key string, users []string) {
	if !d.given(key) {
		return
	}
	for i, user := range users {
		if _, err := parseUser(user); err != nil {
			d.at(key, "entry %d: %v", i+1, err)
		}
	}
}

// servicesLimit reports a limit that the policy's own services exceed: no job would run.
func (d *decoder) servicesLimit(pm Podman) {
	const services = "general.podman.services"
	limit := pm.servicesLimit()
	if limit < 0 || len(pm.Services) <= limit || d.wrong(services) || d.wrong(servicesLimitKey) {
		return
	}
	d.at(services, "these are %d services, but services_limit is %d, and counts them, too: raise it, or set it to -1", len(pm.Services), limit)
}

func (d *decoder) variableName(key, name string) {
	if d.given(key) && name != "" && !IsVariableName(name) {
		d.at(key, "want the name of a variable, got %q", name)
	}
}

// environment checks the shape only and never shows a value: it may be a secret.
func (d *decoder) environment(key string, variables []string) {
	if !d.given(key) {
		return
	}
	for i, v := range variables {
		name, value, ok := strings.Cut(v, "=")
		if !ok || !IsVariableName(name) {
			d.at(key, "entry %d: want NAME=value", i+1)
		} else if strings.ContainsRune(value, 0) {
			d.at(key, "entry %d: the value of %s has a NUL byte", i+1, name)
		}
	}
}

func (d *decoder) words(key string, words []string) {
	if !d.given(key) {
		return
	}
	for i, w := range words {
		if w == "" || strings.ContainsRune(w, 0) {
			d.at(key, "entry %d: want a word, got an empty string or one with a NUL byte", i+1)
		}
	}
}

// Options that change the host's files (U), read or write other host paths (O
// takes upperdir=), or undo nodev and nosuid are not for jobs.
var forbiddenMountOptions = []string{"U", "O", "idmap", "dev", "suid", "ro", "rw"}

func (d *decoder) mountOptions(key string, options []string) {
	if !d.given(key) {
		return
	}
	for i, o := range options {
		if o == "" || strings.ContainsAny(o, ":,= \t\n\x00") || slices.Contains(forbiddenMountOptions, o) {
			d.at(key, "entry %d: the mount option %q cannot be allowed", i+1, o)
		}
	}
}
