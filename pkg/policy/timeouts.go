package policy

import "time"

// Timeouts is the table [general.podman.timeouts]: how long podman's commands may
// take. One that takes longer hangs: it is stopped, and the job fails as a failure
// of the system.
type Timeouts struct {
	// Pull is for the pull of one image, in seconds. It holds other jobs up that
	// pull from the same repository.
	Pull Integer `toml:"pull" default:"3600" podman:"pull"`
	// Command is for every other command of podman, in seconds. A step's
	// container may take twice as long until it runs; how long it runs then is the
	// job's affair.
	Command Integer `toml:"command" default:"120"`
}

// What the file does not say, and the longest that it may, in seconds: a week.
const (
	defaultPullTimeout    = 3600
	defaultCommandTimeout = 120
	maxTimeout            = 7 * 24 * 3600
)

// PullTime is how long a pull may take.
func (t Timeouts) PullTime() time.Duration { return t.Pull.seconds(defaultPullTimeout) }

// CommandTime is how long any other command may take.
func (t Timeouts) CommandTime() time.Duration { return t.Command.seconds(defaultCommandTimeout) }

// seconds returns the number, or the one for a file that does not have it.
func (n Integer) seconds(absent int) time.Duration {
	if !n.Set {
		n.Value = absent
	}
	return time.Duration(n.Value) * time.Second
}

func (d *decoder) timeouts(table string, t Timeouts) {
	for key, n := range map[string]Integer{table + ".pull": t.Pull, table + ".command": t.Command} {
		if d.given(key) && (n.Value < 1 || n.Value > maxTimeout) {
			d.at(key, "want a number of seconds from 1 to %d, got %d", maxTimeout, n.Value)
		}
	}
}
