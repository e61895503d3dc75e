package policy

import (
	"fmt"
	"strings"
)

// decideLauncher grants the job's options for the launcher.
func (p *Policy) decideLauncher(r Request, g *Grant) *Denial {
	const key = "general.podman.scheduler_allow_list"
	pm := p.General.Podman
	if len(pm.Launcher) == 0 {
		return nil
	}
	if len(r.Services) > 0 {
		return p.denial("services", "general.podman.launcher", "the job's script runs on another machine, through a launcher",
			"remove `services:` from the job, or use a runner without a launcher")
	}
	for _, option := range r.LauncherOptions {
		subject := fmt.Sprintf("%s: %q", pm.SchedulerVariable, option)
		if !strings.HasPrefix(option, "-") || strings.Trim(option, "-") == "" {
			return p.denial(subject, "", "not an option", "write each option as one word that begins with `-`, such as --partition=short")
		}
		if _, ok := match(pm.SchedulerAllowList, option); !ok {
			return p.denial(subject, key, "no entry of scheduler_allow_list matches", "")
		}
		g.LauncherOptions = append(g.LauncherOptions, option)
	}
	return nil
}
