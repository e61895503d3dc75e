//go:build image

package bundle

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// quadletDirectory has the files that administrators copy; test/scripts/staged puts it here.
var quadletDirectory = filepath.Join("image", "quadlet")

// Of the options that quadlet's generator makes, these are its own, or have no
// counterpart in a label.
var quadletOptions = []string{
	"--cgroups split", "--cidfile %t/%N.cid", "--ignore", "--label io.containers.autoupdate=registry", "--replace", "--rm", "--sdnotify conmon",
}

// The units that podman 5.4 generates from the quadlet files run the commands of
// the labels: those of `run`, and with the drop-in those of `runleast`.
func TestQuadlet(t *testing.T) {
	m := newMachine(t)
	for _, c := range []struct {
		unit, label string
		dropIn      bool
	}{
		{"pipglr.service", "run", false},
		{"pipglr.service", "runleast", true},
		{"pipglr-storage-volume.service", "setupstorage", false},
		{"pipglr-cache-volume.service", "setupcache", false},
	} {
		t.Run(c.label, func(t *testing.T) {
			got := options(execStart(t, m.generated(c.unit, c.dropIn)), pageImage)
			want := options(strings.Fields(m.labelOf(c.label)), "$IMAGE")
			got = slices.DeleteFunc(got, func(option string) bool { return slices.Contains(quadletOptions, option) })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-label %s +quadlet):\n%s", c.unit, c.label, diff)
			}
		})
	}
}

// systemd takes what is generated, as units of a user.
func TestQuadletUnits(t *testing.T) {
	m := newMachine(t)
	for _, dropIn := range []bool{false, true} {
		if out, err := m.inQuadlet(dropIn, "systemd-analyze verify --user --man=no /tmp/units/*.service"); err != nil || out != "" {
			t.Errorf("systemd-analyze verify (drop-in: %t): %v\n%s", dropIn, err, out)
		}
	}
}

// generated is a unit that podman's generator makes of the quadlet files.
func (m *machine) generated(unit string, dropIn bool) string {
	m.Helper()
	out, err := m.inQuadlet(dropIn, "cat /tmp/units/"+unit)
	if err != nil {
		m.Fatalf("%s: %v\n%s", unit, err, out)
	}
	return out
}

// inQuadlet runs a command in a container of the image, whose podman is one that
// knows quadlet, beside the units in /tmp/units.
func (m *machine) inQuadlet(dropIn bool, command string) (string, error) {
	m.Helper()
	files := filepath.Join(m.T.TempDir(), "files")
	if err := os.CopyFS(files, os.DirFS(quadletDirectory)); err != nil {
		m.Fatal(err)
	}
	if !dropIn {
		if err := os.RemoveAll(filepath.Join(files, "pipglr.container.d")); err != nil {
			m.Fatal(err)
		}
	}
	out, err := exec.Command("podman", "run", "--rm", "--network", "none", "--volume", files+":/quadlet:ro",
		"--env", "QUADLET_UNIT_DIRS=/quadlet", "--env", "XDG_RUNTIME_DIR=/run", "--entrypoint", "bash", m.image,
		"-c", "/usr/libexec/podman/quadlet -user /tmp/units 2>/tmp/log || { cat /tmp/log; exit 1; }; "+command).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// labelOf is a label's text.
func (m *machine) labelOf(label string) string {
	m.Helper()
	return strings.TrimSpace(m.do("podman image inspect --format '{{index .Labels \"" + label + "\"}}' $IMAGE"))
}

// execStart returns the words of a unit's command.
func execStart(t *testing.T, unit string) []string {
	t.Helper()
	for line := range strings.Lines(unit) {
		if command, ok := strings.CutPrefix(line, "ExecStart="); ok {
			return strings.Fields(command)
		}
	}
	t.Fatalf("no ExecStart= in\n%s", unit)
	return nil
}

// options returns the sorted options of a podman command, each with its value, and
// what follows them. The image's name is left out.
func options(command []string, image string) []string {
	long := map[string]string{"-d": "--detach", "-v": "--volume"}
	command = slices.DeleteFunc(slices.Clone(command[1:]), func(word string) bool { return word == image })
	var all []string
	for i := 0; i < len(command); i++ {
		word := command[i]
		if l, ok := long[word]; ok {
			word = l
		}
		name, value, joined := strings.Cut(word, "=")
		switch {
		case !strings.HasPrefix(word, "--"):
		case joined:
			word = name + " " + value
		case i+1 < len(command) && takesValue(word):
			i++
			value = command[i]
			if word == "--cap-add" {
				value = strings.ToUpper(value)
			}
			word += " " + value
		}
		all = append(all, word)
	}
	slices.Sort(all)
	return all
}

// takesValue tells whether an option of podman run is followed by a value.
func takesValue(option string) bool {
	return !slices.Contains([]string{"--detach", "--ignore", "--privileged", "--replace", "--rm", "--tty"}, option)
}
