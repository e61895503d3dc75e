//go:build image

package bundle

import (
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// The timers' services, called by hand while a job runs: what no job has takes its
// leave, what the job has stays.
func TestPruneUnderAJob(t *testing.T) {
	m := newMachine(t)
	m.setUp()
	succeeded(t, m.run(in(userImage, gitlab.NewJob("yesterday", "true"))))
	m.podmanInside("volume", "create", "--label", "of=somebody", "somebodys")
	m.podmanInside("network", "create", "somebodys")
	job := gitlab.NewJob("long", "echo first >here", "echo started", "until test -e /tmp/go; do sleep 0.1; done", "cat here")
	job.AddAfterScript("echo after with $(cat here)")
	run := m.gitlab.Submit(job)
	m.waitLog(run, "started\n")

	m.change("PRUNE_IMAGES_AFTER", "0s")
	m.prune("podman-executor-prune")
	images := m.podmanInside("images", "--format", "{{.Repository}}")
	if strings.Contains(images, "user1000") || !strings.Contains(images, "library/debian") || !strings.Contains(images, "podman-executor/runner") {
		t.Errorf("after pruning there are the images\n%s\nwant those of the job that runs and of the policy, and not user1000", images)
	}
	for kind, names := range map[string]string{"volume": m.podmanInside("volume", "ls", "--quiet"), "network": m.podmanInside("network", "ls", "--quiet")} {
		if !strings.Contains(names, "somebodys") {
			t.Errorf("a %s of somebody's own is gone", kind)
		}
	}

	// Fuller than 1 % the disk is anyway: everything goes that may.
	succeeded(t, m.run(in(userImage, gitlab.NewJob("in between", "true"))))
	m.change("PRUNE_ABOVE", "1")
	if out, err := m.inside("root", "systemctl", "start", "podman-executor-disk.service"); err == nil {
		t.Errorf("the disk cannot be as empty as that:\n%s", out)
	}
	if images := m.podmanInside("images", "--format", "{{.Repository}}"); strings.Contains(images, "user1000") || !strings.Contains(images, "library/debian") {
		t.Errorf("where the disk is too full there are the images\n%s", images)
	}
	log := m.do("podman logs " + container + " 2>&1")
	if !strings.Contains(log, "user1000") || !strings.Contains(log, "podman-executor-disk.service: Failed") {
		t.Error("podman logs does not say what was removed, and that it did not help")
	}

	m.podmanInside("exec", m.podmanInside("ps", "--filter", "label=io.podman-executor.role=user", "--format", "{{.Names}}"), "touch", "/tmp/go")
	m.wait(run)
	succeeded(t, run)
	logs(t, run, "after with first")
}

// change sets a setting of the running container, as its environment would.
func (m *machine) change(name, value string) {
	m.Helper()
	if out, err := m.inside("root", "sh", "-c", "echo "+name+"="+value+" >>/run/podman-executor/settings.env"); err != nil {
		m.Fatalf("%v\n%s", err, out)
	}
}

func (m *machine) prune(unit string) {
	m.Helper()
	if out, err := m.inside("root", "systemctl", "start", unit+".service"); err != nil {
		m.Fatalf("%s: %v\n%s", unit, err, out)
	}
}
