//go:build image

package bundle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// podman stop takes no new job, and lets the one that runs end.
func TestStopLosesNoJob(t *testing.T) {
	m := newMachine(t)
	m.setUp()
	run := m.gitlab.Submit(gitlab.NewJob("long", "echo started", "sleep 8", "echo all of it"))
	m.waitLog(run, "started\n")
	stopped := make(chan error, 1)
	go func() {
		_, err := m.try("podman stop " + container)
		stopped <- err
	}()
	time.Sleep(2 * time.Second) // the runner asks for jobs every second
	late := m.gitlab.Submit(gitlab.NewJob("late", "echo too late"))
	m.wait(run)
	succeeded(t, run)
	logs(t, run, "all of it")
	if err := <-stopped; err != nil {
		t.Errorf("podman stop: %v", err)
	}
	if late.State() != gitlab.StatePending {
		t.Errorf("a job that came after podman stop is %s, want %s", late.State(), gitlab.StatePending)
	}
	if code := m.do("podman inspect --format '{{.State.ExitCode}}' " + container); code != "0\n" && code != "130\n" {
		t.Errorf("the container ended with %s", code)
	}
	m.do("podman start " + container)
	m.wait(late)
	succeeded(t, late)
}

// What is made again from the same volumes and secret is the same runner with the
// same caches, and frees what a killed one has left.
func TestCreatedAgain(t *testing.T) {
	m := newMachine(t)
	m.setUp()
	cached := gitlab.NewJob("cached", "cat kept/file || echo nothing there", "mkdir -p kept", "echo from the cache >kept/file")
	cached.Cache = []gitlab.Cache{{Key: "key", Paths: []string{"kept"}, Policy: "pull-push", When: "on_success"}}
	first := m.run(cached)
	succeeded(t, first)
	logs(t, first, "nothing there")
	id := systemID(t, first)

	killed := m.gitlab.Submit(gitlab.NewJob("killed", "echo started", "sleep 600"))
	m.waitLog(killed, "started\n")
	m.do("podman kill " + container)
	m.do("podman rm " + container)
	m.do("podman container runlabel run $IMAGE")
	m.ready()

	cached.SetVariable("GIT_CLEAN_FLAGS", "-ffdx")
	second := m.run(cached)
	succeeded(t, second)
	logs(t, second, "from the cache")
	if again := systemID(t, second); again != id {
		t.Errorf("the runner's system id was %s, and is %s", id, again)
	}
	if out := m.podmanInside("ps", "--all", "--format", "{{.Names}}"); out != "" {
		t.Errorf("containers of the killed job are left: %s", out)
	}

	old := m.do("podman inspect --format {{.Id}} " + container)
	under := m.gitlab.Submit(gitlab.NewJob("under way", "echo started", "sleep 5", "echo all of it"))
	m.waitLog(under, "started\n")
	m.do("podman container runlabel update $IMAGE")
	m.wait(under)
	succeeded(t, under)
	m.ready()
	if m.do("podman inspect --format {{.Id}} "+container) == old {
		t.Error("update has left the old container")
	}
	third := m.run(cached)
	succeeded(t, third)
	logs(t, third, "from the cache", id)
}

// The health command fails where gitlab-runner is not there, or podman is not; a
// restart of either heals it.
func TestHealth(t *testing.T) {
	m := newMachine(t)
	m.setUp()
	for _, unit := range []string{"runner.service", "podman.socket podman.service"} {
		if out, err := m.inside("root", "sh", "-c", "systemctl stop "+unit); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if out, err := podman("healthcheck", "run", container); err == nil {
			t.Errorf("without %s the container is healthy: %s", unit, out)
		}
		if out, err := m.inside("root", "sh", "-c", "systemctl start "+unit+" runner.service"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		m.ready()
	}
	hello(m)
}

// systemID reads the runner's id from a job log.
func systemID(t *testing.T, run *gitlab.Run) string {
	t.Helper()
	_, rest, ok := strings.Cut(run.Log(), "system ID: ")
	id, _, _ := strings.Cut(rest, "\n")
	if !ok || id == "" {
		t.Fatalf("no system id in the job log:\n%s", run.Log())
	}
	return id
}

// The file that was made a secret comes back byte by byte, through runlabel and
// through eval; a new one takes its place.
func TestConfigurationIsEdited(t *testing.T) {
	m := newMachine(t)
	for _, text := range []string{"concurrent = 1\n", "# no newline at the end", "name = \"ümlaut\"\r\n\n\n\t# \x7f\n"} {
		if err := os.WriteFile(filepath.Join(m.dir, "config.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m.do("podman container runlabel setupconfig $IMAGE")
		for _, dump := range []string{
			"podman container runlabel dumpconfig $IMAGE > ./dumped.toml",
			"eval $(podman inspect --format=json $IMAGE | jq -r .[].Labels.dumpconfig) > ./dumped.toml",
		} {
			m.do(dump)
			dumped, err := os.ReadFile(filepath.Join(m.dir, "dumped.toml"))
			if err != nil || string(dumped) != text {
				t.Errorf("%s: got %q (%v), want %q", dump, dumped, err, text)
			}
		}
		m.do("podman secret rm config.toml")
	}
}

// The whole set-up in the form for a podman without runlabel, as far as that can be
// typed in a shell.
func TestEvalForm(t *testing.T) {
	m := newMachine(t)
	label := func(name, more string) {
		m.do("eval $(podman inspect --format=json $IMAGE | jq -r .[].Labels." + name + ")" + more)
	}
	m.do("echo '" + token + "' | podman secret create REGISTRATION_TOKEN - && touch ./config.toml")
	label("register", " --url "+m.gitlab.URL())
	label("setupconfig", "")
	label("setupstorage", "")
	label("setupcache", "")
	label("run", "")
	m.ready()
	run := m.run(gitlab.NewJob("hello", "echo hello"))
	succeeded(t, run)
}

// All that is logged stands in podman logs, in words and without colours.
func TestLogs(t *testing.T) {
	m := newMachine(t)
	m.configure()
	m.do("podman container runlabel setupstorage $IMAGE && podman container runlabel setupcache $IMAGE")
	m.do("podman container runlabel run $IMAGE -- --log-level debug")
	m.ready()
	run := m.run(gitlab.NewJob("hello", "echo hello"))
	succeeded(t, run)
	var log string
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		log = m.do("podman logs --since 0 " + container + " 2>&1")
		missing := slices.DeleteFunc([]string{"systemd[1]: ", "podman[", "level=debug", "gitlab-runner[", "Job succeeded", "podman-executor["}, func(text string) bool {
			return strings.Contains(log, text)
		})
		if len(missing) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("podman logs lacks %q", missing)
		}
	}
	if strings.Contains(log, "\x1b[") {
		t.Error("podman logs has escape sequences of a terminal")
	}
	if strings.Contains(log, token) {
		t.Error("podman logs has the runner's token")
	}
}

// The time and space that the image takes, printed for `make test-image`.
func TestFigures(t *testing.T) {
	m := newMachine(t)
	m.configure()
	m.do("podman container runlabel setupstorage $IMAGE && podman container runlabel setupcache $IMAGE")
	waiting := m.gitlab.Submit(gitlab.NewJob("first", "echo hello"))
	start := time.Now()
	m.do("podman container runlabel run $IMAGE")
	m.wait(waiting)
	succeeded(t, waiting)
	second := m.run(gitlab.NewJob("second", "echo hello"))
	succeeded(t, second)
	size := strings.TrimSpace(m.do("podman image inspect --format '{{.Size}}' " + bundleImage))
	t.Logf("figure: the image has %s bytes", size)
	t.Logf("figure: from run to the first job's pickup: %.1f s", waiting.Times().PickedUp.Sub(start).Seconds())
	t.Logf("figure: the first hello job, which pulls its image: %s", duration(waiting))
	t.Logf("figure: the second: %s", duration(second))
}

func duration(run *gitlab.Run) string {
	times := run.Times()
	return fmt.Sprintf("%.1f s", times.Finished.Sub(times.PickedUp).Seconds())
}

// podman is a command of the machine's owner that may fail.
func podman(args ...string) (string, error) {
	out, err := exec.Command("podman", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
