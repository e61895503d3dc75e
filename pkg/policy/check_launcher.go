package policy

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// placeholder matches everything that looks like a placeholder, known or not.
var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// checkLauncher checks the launcher, and refuses keys that cannot work for a container on
// another machine.
func (c *checker) checkLauncher() {
	const key = "general.podman.launcher"
	pm := c.policy.General.Podman
	c.checkOneOf(key+"_mode", pm.LauncherMode, LauncherAttached, LauncherBatch)
	c.checkVariableName("general.podman.scheduler_variable", pm.SchedulerVariable)
	if len(pm.Launcher) == 0 {
		return
	}
	c.checkWords(key, pm.Launcher)
	program := pm.Launcher[0]
	if strings.Contains(program, "/") && (!path.IsAbs(program) || path.Clean(program) != program) {
		c.at(key, "want the name of a program or an absolute path, got %q", program)
	}
	for i, word := range pm.Launcher {
		for _, found := range placeholder.FindAllString(word, -1) {
			if !slices.Contains(LauncherPlaceholders, found) {
				c.at(key, "entry %d: unknown placeholder %s: want %s", i+1, found, strings.Join(LauncherPlaceholders, ", "))
			}
		}
	}
	if batch := path.Base(program) == "sbatch"; batch != (pm.LauncherMode == LauncherBatch) {
		c.at(key, "sbatch requires launcher_mode = %q, and that mode requires sbatch, got %q", LauncherBatch, program)
	}
	if !pm.StepScriptOnly && !c.wrong("general.podman.step_script_only") {
		c.missing("general.podman.step_script_only", "a launcher requires step_script_only = true: it only runs the job's own scripts")
	}
	c.checkNotWithLauncher()
}

// checkNotWithLauncher reports keys that need podman on this machine.
func (c *checker) checkNotWithLauncher() {
	for _, other := range []struct{ key, why string }{
		{"service_url", "a launcher runs podman itself"},
		{"service_urls", "a launcher runs podman itself"},
		{"disable_container_removal", "each container is removed when its step ends"},
		{"require_limits", "limits are enforced on another machine, where the driver cannot check them"},
		{"user_volume_variable", "the driver cannot pin the source of a mount on another machine"},
		{"services", "the job gets no private network"},
	} {
		if key := "general.podman." + other.key; c.given(key) {
			c.at(key, "cannot be used with a launcher: %s", other.why)
		}
	}
	for _, v := range c.policy.General.Podman.Container.Volumes {
		if v.Source == "" {
			c.at("general.podman.container.volumes", "cannot be used with a launcher: %s would be a separate podman volume on each machine; use a directory of the host", v.Destination)
		}
	}
}
