//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// dataDir returns a policy with a data_dir and the directory.
func dataDir(t *testing.T, podman ...string) (policy func(string) string, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// What an image's user has written belongs to ids of podman's user
	// namespace.
	t.Cleanup(func() { podmanRemove(t, dir) })
	return func(machine string) string {
		return policyText(machine, []string{fmt.Sprintf("data_dir = %q", dir)}, podman)
	}, dir
}

func podmanRemove(t *testing.T, dir string) {
	t.Helper()
	podman(t, "unshare", "rm", "-rf", dir)
}

func TestDataDir(t *testing.T) {
	t.Parallel()
	policy, dir := dataDir(t)
	m := start(t, policy)
	for _, image := range []string{debianImage, userImage} {
		j := in(image, m.cloneOnce("data dir "+image, "cat README", "echo built >out", "pwd"))
		j.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Type: "archive", Format: "zip"}}
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, "second", filepath.Join(dir, "builds", m.projectKey(), m.token, "0", "group"))
		if len(run.Artifacts()) != 1 {
			t.Error("the artifact has not arrived")
		}
	}
	if names := m.volumes(); len(names) != 0 {
		t.Errorf("with a data_dir there are volumes: %q", names)
	}
}

// cloneOnce is clone for several jobs of one machine.
func (m *machine) cloneOnce(name string, script ...string) gitlab.Job {
	m.Helper()
	if m.repository == nil {
		j := m.clone(name)
		m.repository = &j
	}
	j := *m.repository
	j.Info.Name = name
	j.Steps = job(name, script...).Steps
	return j
}

func TestStepScriptOnly(t *testing.T) {
	t.Parallel()
	policy, dir := dataDir(t, "step_script_only = true", "-runner_image", "-runner_options")
	m := start(t, policy)
	j := in(busyboxImage, variables(m.cloneOnce("step script only",
		"test ! -e /etc/debian_version && echo script in a container", "cat README", `cat "$A_FILE"`, "echo made >out", "cat cached || echo no cache", "echo c >cached")))
	j.AddAfterScript("test ! -e /etc/debian_version && echo after_script in a container")
	j.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Type: "archive", Format: "zip"}}
	j.Cache = []gitlab.Cache{{Key: "k", Paths: []string{"cached"}, Policy: "pull-push"}}
	// The author's hook is part of the runner's own step, which runs on the host.
	j.Hooks = []gitlab.Hook{{Name: "pre_get_sources_script", Script: []string{"echo hook on $(. /etc/os-release; echo $ID) in $PWD with umask $(umask)", `HOME=$(mktemp -d); git config --global user.name x; stat -c "gitconfig %a" "$HOME/.gitconfig"; rm -r "$HOME"`}}}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "hook on "+hostID(t)+" in "+dir+" with umask 0022", "gitconfig 644", "script in a container", "second", "content of the file", "after_script in a container")
	if len(run.Artifacts()) != 1 {
		t.Error("the artifact has not arrived")
	}
	failed(t, m.run(in(busyboxImage, job("fails", "exit 42"))), "script_failure", 42)
}

// hostID is ID of the host's os-release.
func hostID(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if id, ok := strings.CutPrefix(line, "ID="); ok {
			return strings.Trim(strings.TrimSpace(id), `"`)
		}
	}
	t.Fatal("the host's os-release has no ID")
	return ""
}

func TestStepScriptOnlyCancelled(t *testing.T) {
	t.Parallel()
	policy, _ := dataDir(t, "step_script_only = true", "-runner_image", "-runner_options")
	m := start(t, policy)
	j := in(debianImage, m.clone("host step", "echo never"))
	j.Hooks = []gitlab.Hook{{Name: "pre_get_sources_script", Script: endless}}
	run := m.server.Submit(j)
	m.waitLog(run, "tick")
	run.Abort()
	m.wait(run)
	m.nothingLeft()
}

func TestDisableContainerRemoval(t *testing.T) {
	t.Parallel()
	m := start(t, defaults("disable_container_removal = true"))
	run := m.server.Submit(job("kept", "echo left here >/tmp/file"))
	m.wait(run)
	succeeded(t, run)
	label := fmt.Sprintf("label=io.podman-executor.job=%d", run.Job.ID)
	names := strings.Fields(podman(t, "ps", "--all", "--filter", label, "--filter", "label=io.podman-executor.project=7", "--format", "{{.Names}}"))
	if len(names) != 2 {
		t.Fatalf("%d containers are kept, want 2: %q", len(names), names)
	}
	t.Cleanup(func() { podman(t, append([]string{"rm", "--force"}, names...)...) })
	file := filepath.Join(t.TempDir(), "file")
	podman(t, "cp", m.container(run, "user")+":/tmp/file", file)
	if text, err := os.ReadFile(file); err != nil || string(text) != "left here\n" {
		t.Errorf("the kept container has %q (%v)", text, err)
	}
	// Cleanup has printed nothing, and a job of another runner process leaves
	// kept containers alone.
	if strings.Contains(m.runner.Log(), "cleanup_std") {
		t.Error("cleanup has printed something")
	}
	m.runner.Kill()
	if err := m.runner.Restart(); err != nil {
		t.Fatal(err)
	}
	next := m.server.Submit(job("next", "echo next"))
	m.wait(next)
	names = append(names, strings.Fields(podman(t, "ps", "--all", "--filter", fmt.Sprintf("label=io.podman-executor.job=%d", next.Job.ID), "--format", "{{.Names}}"))...)
	if len(names) != 4 {
		t.Errorf("%d containers are kept, want 4: %q", len(names), names)
	}
}

func TestTwoJobsOfOneProject(t *testing.T) {
	t.Parallel()
	m := startConcurrent(t, 2, defaults())
	// Each waits for the other: at the same time, in slots of their own.
	meeting, _ := shared(t)
	if err := m.runner.SetPolicy(policyText(m.dir, nil, []string{`user_volume_variable = "USER_VOLUMES"`, fmt.Sprintf("volume_allow_list = [%q]", meeting)})); err != nil {
		t.Fatal(err)
	}
	script := func(own, other string) []string {
		return []string{
			"echo " + own + " >only-mine", "touch /meeting/" + own, "while [ ! -e /meeting/" + other + " ]; do sleep 0.2; done",
			`test "$(cat only-mine)" = ` + own, "pwd",
		}
	}
	a := m.server.Submit(volumes(job("a", script("a", "b")...), meeting+":/meeting"))
	b := m.server.Submit(volumes(job("b", script("b", "a")...), meeting+":/meeting"))
	m.wait(a)
	m.wait(b)
	m.nothingLeft()
	succeeded(t, a)
	succeeded(t, b)
	if slots := a.Log() + b.Log(); !strings.Contains(slots, m.token+"/0/") || !strings.Contains(slots, m.token+"/1/") {
		t.Error("the two jobs were not in two slots")
	}
}

// With short_project_dir the path of the project is the same in each slot, as with the docker executor, and the builds are apart all
// the same: in volumes, and below data_dir.
func TestShortProjectDir(t *testing.T) {
	t.Parallel()
	inData, _ := dataDir(t, "short_project_dir = true")
	for name, policy := range map[string]func(string) string{"/builds": defaults("short_project_dir = true"), "data_dir": inData} {
		m := startConcurrent(t, 2, policy)
		var runs []*gitlab.Run
		for _, own := range []string{"a", "b"} {
			j := m.cloneOnce(own, append([]string{"pwd", "test ! -e mine || cat mine", "echo made by " + own + " >mine", `echo "project dir $CI_PROJECT_DIR"`}, append(untilReleased, "cat mine")...)...)
			runs = append(runs, m.server.Submit(j))
		}
		for i, run := range runs {
			m.waitLog(run, "holding")
			m.release(run)
			m.wait(run)
			succeeded(t, run)
			logs(t, run, "made by "+[]string{"a", "b"}[i]+"\n")
		}
		if a, b := projectDir(runs[0]), projectDir(runs[1]); a != b || a == "" || name == "/builds" && a != "/builds/group/main-"+m.token {
			t.Errorf("%s: the project directories are %q and %q", name, a, b)
		}
		m.nothingLeft()
	}
}

// projectDir returns what the log of a job of [TestShortProjectDir] says.
func projectDir(run *gitlab.Run) string {
	_, rest, _ := strings.Cut(run.Log(), "\nproject dir ")
	dir, _, _ := strings.Cut(rest, "\n")
	return dir
}

// A job without a runtime of its own leaves no trace of a runner that is well.
func TestSecondRunnerOnTheSamePodman(t *testing.T) {
	t.Parallel()
	one := start(t, defaults())
	two := start(t, defaults())
	run := one.server.Submit(job("long", "echo started", "sleep 4", "echo still here"))
	one.waitLog(run, "started")
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		succeeded(t, two.run(job("short", "echo short")))
	}
	one.wait(run)
	succeeded(t, run)
	logs(t, run, "still here")
}
