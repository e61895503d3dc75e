//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// environments writes a podman that is a script for bash, as administrators write them,
// which writes down its environment; it returns its name, and a function that returns all
// environments so far, NAME=value.
func environments(t *testing.T) (program string, seen func() []string) {
	t.Helper()
	dir := t.TempDir()
	podman, err := exec.LookPath("podman")
	if err != nil {
		t.Fatal(err)
	}
	program, log := filepath.Join(dir, "podman"), filepath.Join(dir, "environments")
	write(t, program, fmt.Sprintf("#!/bin/bash\ncat /proc/$$/environ >>%s\nexec -a podman %s \"$@\"\n", log, podman))
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	return program, func() []string {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	}
}

// podmanNames are all that the driver gives podman in its environment, with the policies of
// these tests.
var podmanNames = []string{
	"PATH", "TMPDIR", "LC_ALL", "HOME", "USER", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "CONTAINERS_STORAGE_CONF", "CONTAINERS_CONF",
}

// TestVariablesOfServices: variables of a service with line breaks, or of great length,
// arrive in it byte for byte, whatever their names are; and no podman on the host, nor what
// it calls, has any of them in its environment. With GCONV_PATH and CHARSET there,
// conmon of podman 4 runs what the job has in its builds; with BASH_ENV, podman's wrapper does.
func TestVariablesOfServices(t *testing.T) {
	t.Parallel()
	program, seen := environments(t)
	m := start(t, defaults(fmt.Sprintf("application_path = %q", program)))
	ran := filepath.Join(t.TempDir(), "ran")
	planted := filepath.Join(t.TempDir(), "planted\n")
	write(t, planted, "echo RAN >"+ran+"\n")
	values := map[string]string{
		"GCONV_PATH": "/nonexistent/of-the-job:\n", "CHARSET": "OF-THE-JOB\n", "BASH_ENV": planted, "LD_PRELOAD": "/nonexistent/of-the-job\r\n",
		"ODD": "\n\r\n of-the-job=\"x\" 'y' $NONE #* \xc3\xa4\n\n", "CR": "of-the-job\r", "PLAIN": " of-the-job=\"'#*\\",
		// Together with all else about the services not more than one variable: the runner
		// hands them over as CI_JOB_SERVICES, too.
		"LONG":       "of-the-job" + strings.Repeat("x", 110<<10),
		"LONG_LINES": strings.Repeat("of-the-job\n", 100), "CI_COMMIT_MESSAGE": "subject\n\nbody of-the-job\n",
	}
	names := []string{}
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	j := in(clientsImage, job("variables", "while ! test -e /builds/sums; do sleep 0.2; done", "cat /builds/sums"))
	hashes := gitlab.Image{Name: clientsImage, Alias: "hashes", Entrypoint: []string{"sh", "-c"}, Command: []string{
		"rm -f /builds/sums; for v in " + strings.Join(names, " ") + `; do echo "$v $(printenv $v | head -c -1 | sha256sum)"; done >/builds/sums.new; mv /builds/sums.new /builds/sums; sleep 1000`,
	}}
	want := []string{}
	for _, name := range names {
		if name == "CI_COMMIT_MESSAGE" {
			j.Variables = append(j.Variables, gitlab.Variable{Key: name, Value: values[name], Public: true})
		} else {
			hashes.Variables = append(hashes.Variables, gitlab.Variable{Key: name, Value: values[name], Raw: true})
		}
		want = append(want, fmt.Sprintf("%s %x  -", name, sha256.Sum256([]byte(values[name]))))
	}
	// A health check is run by podman, in the container, which has such variables, too.
	j.Services = []gitlab.Image{hashes, service(healthyImage, "healthy", gitlab.Variable{Key: "LINES_OF", Value: "two\nlines of-the-job"})}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, want...)
	lacks(t, run, "probably didn't start", "warning: ")
	if _, err := os.Stat(ran); err == nil {
		t.Error("podman's wrapper has run what the job's BASH_ENV names")
	}
	environment := seen()
	for _, v := range environment {
		name, value, _ := strings.Cut(v, "=")
		if !slices.Contains(podmanNames, name) {
			t.Errorf("podman has %s in its environment", name)
		}
		if strings.Contains(value, "of-the-job") {
			t.Errorf("podman has a value of the job's in its environment, as %s", name)
		}
	}
	if !slices.ContainsFunc(environment, func(v string) bool { return strings.HasPrefix(v, "HOME=") }) {
		t.Errorf("the wrapper has seen no environment: this test shows nothing")
	}
}

// TestDriverKilledAtSecrets: the driver is killed at each command for a secret, before it and
// when it is done. The next job removes what is left.
func TestDriverKilledAtSecrets(t *testing.T) {
	t.Parallel()
	p := newTrap(t)
	m := start(t, defaults(p.key()))
	withSecret := func(name string) gitlab.Job {
		j := in(clientsImage, job(name, "echo ran"))
		j.Services = []gitlab.Image{service(redisImage, "cache", gitlab.Variable{Key: "LINES_OF", Value: "two\nlines"})}
		return j
	}
	for _, command := range []string{"secret create *", "secret rm *"} {
		for when, act := range map[string]string{"before": killBefore, "after": killAfter} {
			if testing.Short() && when == "before" {
				continue
			}
			p.armFor(command, act)
			run := m.server.Submit(withSecret("killed " + when + " " + command))
			m.wait(run)
			if _, err := os.Stat(filepath.Join(p.dir, "pattern")); err == nil {
				t.Errorf("nothing was killed at %s", command)
			}
			// A prepare that was killed is tried again; a job that has ended stays as it is.
			succeeded(t, run)
			succeeded(t, m.run(withSecret("next")))
		}
	}
}
