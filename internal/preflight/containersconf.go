package preflight

import (
	"fmt"
	"strings"

	"podman-executor/internal/containersconf"
)

// ContainersConfCheck is the name of the check of [ContainersConf].
const ContainersConfCheck = "containers.conf"

// UnreadConf returns the result for a containers.conf that cannot be read: then every podman
// command fails.
func UnreadConf(err error) Result {
	return Result{Check: ContainersConfCheck, Level: Error, Detail: err.Error(), Hint: "fix that file: podman does not run until it can be read"}
}

// ContainersConf reports what in podman's containers.conf matters to jobs, and in which file;
// ok is false if there is nothing to report. getenv returns variables of podman's environment.
func ContainersConf(c containersconf.Config, getenv func(string) string) (r Result, ok bool) {
	r = Result{Check: ContainersConfCheck}
	var lines, hints []string
	say := func(level Level, line, hint string) {
		r.Level, lines = max(r.Level, level), append(lines, line)
		if hint != "" {
			hints = append(hints, hint)
		}
	}
	for _, m := range c.Missing(getenv) {
		table, key, _ := strings.Cut(m.Key, ".")
		hint := fmt.Sprintf("install %s, or change %s under [%s] in %s", m.Program, key, table, m.File)
		if m.Needed {
			say(Error, fmt.Sprintf("%s not found (%s of %s): podman cannot start containers", m.Program, key, m.File), hint)
		} else {
			say(Warning, fmt.Sprintf("%s not found (%s of %s): jobs with services may have no network", m.Program, key, m.File), hint)
		}
	}
	d := c.Defaults(getenv)
	if name, file := d.OtherKernel(), c.From("engine.runtime"); name != "" {
		say(OK, fmt.Sprintf("runtime %q%s: a container starts for each step", name, of(file)), "")
	} else if file != "" {
		say(OK, fmt.Sprintf("runtime %q%s", c.Engine.OCIRuntime, of(file)), "")
	}
	if d.OtherUser() {
		file := c.From("containers.userns")
		if getenv("PODMAN_USERNS") != "" {
			file = "PODMAN_USERNS"
		}
		say(OK, fmt.Sprintf("userns %q%s: root of a container is not the user who runs podman", d.UserNS, of(file)), "")
	}
	if n := c.Subnets(); n > 0 {
		say(OK, fmt.Sprintf("subnets for %d networks%s: that many jobs with services can run at a time", n, of(c.From("network.default_subnet_pools"))), "")
	}
	if driver, file := d.FirewallDriver, c.From("network.firewall_driver"); driver == "none" {
		say(Warning, fmt.Sprintf("firewall_driver %q%s: jobs' networks are not isolated from each other", driver, of(file)), ApartHint)
	} else if driver != "" {
		say(OK, fmt.Sprintf("firewall_driver %q%s", driver, of(file)), "")
	}
	r.Detail, r.Hint = strings.Join(lines, "\n"), strings.Join(hints, "; ")
	return r, len(lines) > 0
}

// of returns a text that names the file of a setting.
func of(file string) string {
	if file == "" {
		return ""
	}
	return " (" + file + ")"
}

// nearlyAll reports whether more than nine tenths are used.
func nearlyAll(used, all int) bool { return all > 0 && used*10 > all*9 }

// Locks reports whether podman is running out of locks, of which each container, pod and volume
// has one; ok is false if enough are free.
func Locks(used, all int) (r Result, ok bool) {
	return Result{
		Check: "podman's locks", Level: Warning,
		Detail: fmt.Sprintf("%d of %d are in use; when none is free, podman creates no container, pod or volume", used, all),
		Hint:   "remove unused containers and volumes (`podman ps --all`, `podman volume ls`), or raise num_locks under [engine] in containers.conf, and run `podman system renumber` when no container runs",
	}, nearlyAll(used, all)
}

// Subnets reports whether podman is running out of subnets for networks; ok is false if enough
// are free. all is 0 if no file limits them.
func Subnets(used, all int) (r Result, ok bool) {
	return Result{
		Check: "subnets", Level: Warning,
		Detail: fmt.Sprintf("%d of the %d networks that default_subnet_pools in containers.conf allows exist", used, all),
		Hint:   "remove unused networks (`podman network prune`), or add a pool to default_subnet_pools under [network] in containers.conf",
	}, nearlyAll(used, all)
}
