//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// inStore starts a machine whose podman has a storage of its own, and returns an image that a registry has.
func inStore(t *testing.T) (*machine, ownStore, *registry, string) {
	t.Helper()
	r, s := startRegistry(t), newOwnStore(t)
	r.pushed("reader/app:1")
	policy, _ := dataDir(t, "step_script_only = true", "-runner_image", "-runner_options",
		storageEnvironment(append(s.environment(), "CONTAINERS_REGISTRIES_CONF="+r.config)...))
	return start(t, policy), s, r, r.host + "/reader/app:1"
}

// What a loss of power, or a killed pull, does to an image in podman's storage: the next job removes it and pulls it again, and
// nobody else needs to know.
func TestDamagedImage(t *testing.T) {
	t.Parallel()
	m, s, r, image := inStore(t)
	j := pulledBy(r.account, image, job("damaged", "echo ran"))
	j.Image.PullPolicy = []string{"if-not-present"}
	succeeded(t, m.run(j))
	const byPodman = "what its link leads to is gone" // podman repairs that itself
	for name, damage := range map[string]string{
		"its layer is gone":           `rm -rf "$0"`,
		byPodman:                      `rm "$0/../l/$(cat "$0/link")"`,
		"its manifest is empty":       `: >"$0/../../overlay-images/$1/manifest"`,
		"nothing lists its layer":     `rm "$0/../../overlay-layers/layers.json"`,
		"its files are gone":          `rm -rf "$0/diff"`,
		"nothing lists what it is on": `: >"$0/lower"`,
	} {
		layer := filepath.Dir(s.podman("image", "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", image))
		s.podman("unshare", "sh", "-c", damage, layer, s.podman("image", "inspect", "--format", "{{.Id}}", image))
		t.Log(name)
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, "ran\n")
		if name != byPodman {
			logs(t, run, "pulled in")
		}
		lacks(t, run, "Preparation failed")
		run = m.run(j)
		succeeded(t, run)
		logs(t, run, "found locally", "ran\n")
	}
}

// After the user's processes were killed, podman's pause process among them, the next job runs.
func TestAllProcessesKilled(t *testing.T) {
	t.Parallel()
	m, s, r, image := inStore(t)
	run := m.server.Submit(pulledBy(r.account, image, job("killed", untilReleased...)))
	m.waitLog(run, "holding")
	m.killDriver()
	m.runner.Kill()
	pause, err := os.ReadFile(filepath.Join(s.dir, "run/libpod/tmp/pause.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pids := s.podman("ps", "--format", "{{.Names}}")
	pids = s.podman("inspect", "--format", "{{.State.ConmonPid}} {{.State.Pid}}", pids) + " " + string(pause)
	for _, word := range strings.Fields(pids) {
		if pid, err := strconv.Atoi(word); err != nil || pid < 2 || syscall.Kill(pid, syscall.SIGKILL) != nil {
			t.Fatalf("killing %q of %q", word, pids)
		}
	}
	if err := m.runner.Restart(); err != nil {
		t.Fatal(err)
	}
	run = m.run(pulledBy(r.account, image, job("next", "echo ran")))
	succeeded(t, run)
	logs(t, run, "ran\n")
	lacks(t, run, "Preparation failed")
	m.nothingLeft()
}
