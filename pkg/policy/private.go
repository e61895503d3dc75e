package policy

import "fmt"

// private refuses a mount that shows what belongs to the driver, or to other jobs:
// an entry of volume_allow_list such as "/tmp" or "/home/ci" is wider than it looks.
func (p *Policy) private(variable string, m Mount, places []string) *Denial {
	for _, place := range places {
		if within(place, []string{m.Source}) || within(m.Source, []string{place}) {
			return p.denial(fmt.Sprintf("%s: volume %q", variable, truncate(m.Source, 200)), "general.podman.volume_allow_list",
				"this runner keeps files of its own, or of other jobs, there", "mount a directory that holds data only")
		}
	}
	return nil
}
