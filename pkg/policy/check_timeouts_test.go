package policy

import (
	"testing"
	"time"
)

// TestTimeouts: what the file says, and what holds without it.
func TestTimeouts(t *testing.T) {
	const required = "[general]\nrun_mechanism = \"podman\"\n[general.podman]\nrunner_image = \"x\"\n"
	for text, want := range map[string][2]time.Duration{
		"":                                    {time.Hour, 2 * time.Minute},
		"[general.podman.timeouts]\npull = 5": {5 * time.Second, 2 * time.Minute},
		"[general.podman.timeouts]\ncommand = 604800": {time.Hour, 7 * 24 * time.Hour},
	} {
		got := parse(t, required+text).General.Podman.Timeouts
		if got.PullTime() != want[0] || got.CommandTime() != want[1] {
			t.Errorf("%q: a pull has %s, a command %s", text, got.PullTime(), got.CommandTime())
		}
	}
}
