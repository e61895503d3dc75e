//go:build image

package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// configured builds the last step of the Containerfile again, over the bundle, with
// other build arguments.
func configured(m *machine, arguments string) (string, error) {
	m.Helper()
	program, err := os.ReadFile("image/build/configure")
	if err != nil {
		m.Fatal(err)
	}
	for name, text := range map[string]string{
		"configure":     string(program),
		"Containerfile": "FROM " + bundleImage + "\nARG PRUNE_INTERVAL=daily\nARG NESTED_PRIVILEGED=false\nCOPY --chmod=0755 configure /build/\nRUN /build/configure\n",
	} {
		if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o644); err != nil {
			m.Fatal(err)
		}
	}
	return m.try("podman build --quiet --no-cache --tag localhost/podman-executor/bundle-configured " + arguments + " .")
}

// What PRUNE_INTERVAL and NESTED_PRIVILEGED say stands in the timer and the policy.
func TestBuildArguments(t *testing.T) {
	m := newMachine(t)
	if out, err := configured(m, "--build-arg 'PRUNE_INTERVAL=Sun *-*-* 03:00:00' --build-arg NESTED_PRIVILEGED=true"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	show := "podman run --rm --network none --entrypoint cat localhost/podman-executor/bundle-configured "
	if timer := m.do(show + "/etc/systemd/system/podman-executor-prune.timer"); !strings.Contains(timer, "\nOnCalendar=Sun *-*-* 03:00:00\n") {
		t.Errorf("the timer is\n%s", timer)
	}
	if policy := m.do(show + "/etc/podman-executor/policy.toml"); !strings.Contains(policy, "\nprivileged = true\n") {
		t.Errorf("the policy is\n%s", policy)
	}
	m.do("podman rmi localhost/podman-executor/bundle-configured")
	for _, c := range []struct{ argument, hint string }{
		{"PRUNE_INTERVAL=often", "hint: set --build-arg PRUNE_INTERVAL to an OnCalendar= value"},
		{"PRUNE_INTERVAL=daily|e id", "hint: set --build-arg PRUNE_INTERVAL to"},
		{"NESTED_PRIVILEGED=yes", "hint: set --build-arg NESTED_PRIVILEGED to true or false"},
	} {
		if out, err := configured(m, fmt.Sprintf("--build-arg '%s'", c.argument)); err == nil || !strings.Contains(out, c.hint) {
			t.Errorf("%s: %v, want %q\n%s", c.argument, err, c.hint, out)
		}
	}
}
