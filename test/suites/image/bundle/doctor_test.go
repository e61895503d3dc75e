//go:build image

package bundle

import (
	"strings"
	"testing"
)

const doctor = "/usr/libexec/podman-executor-image/doctor"

// The doctor finds a machine on which jobs run ready, before anything is set up
// and in the container that runs.
func TestDoctor(t *testing.T) {
	m := newMachine(t)
	out := rows(m.do("podman container runlabel doctor $IMAGE"))
	for _, row := range []string{"ids ok ", "privileges ok ", "/dev/net/tun ok ", "storage ok ", "runner_image ok "} {
		if !strings.Contains(out, row) {
			t.Errorf("the doctor does not say %q:\n%s", row, out)
		}
	}
	m.setUp()
	out, err := m.inside("root", doctor)
	if out := rows(out); err != nil || !strings.Contains(out, "runner.service ok ") || !strings.Contains(out, "runner_image ok ") {
		t.Errorf("the doctor in the container that runs: %v\n%s", err, out)
	}
}

// rows puts one space between the columns of a table.
func rows(table string) string { return strings.Join(strings.Fields(table), " ") }

// And where they do not, what is missing and what to do.
func TestDoctorOfAMachineThatCannot(t *testing.T) {
	m := newMachine(t)
	for _, c := range []struct{ name, options, row, cure string }{
		{"no tun", "", "/dev/net/tun error ", "--device /dev/net/tun"},
		{"no new privileges", "--privileged --security-opt no-new-privileges", "privileges error ", "no-new-privileges"},
		{"too few ids", "--privileged --uidmap 0:0:1500 --gidmap 0:0:1500", "ids ", "65539"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := m.try("podman run --rm " + c.options + " $IMAGE doctor")
			if err == nil && c.name != "too few ids" {
				t.Errorf("the doctor finds nothing:\n%s", out)
			}
			_, rest, ok := strings.Cut(rows(out), c.row)
			if !ok || !strings.Contains(rest, c.cure) {
				t.Errorf("the doctor does not say %q and %q:\n%s", c.row, c.cure, out)
			}
		})
	}
}
