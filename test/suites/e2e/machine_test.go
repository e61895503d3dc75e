//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/harness/runner"
)

// The images that test/harness/images builds.
const (
	runnerImage  = "localhost/podman-executor/runner:latest"
	debianImage  = "docker.io/library/debian:trixie-slim"
	busyboxImage = "localhost/podman-executor/busybox:latest"
	userImage    = "localhost/podman-executor/user1000:latest"
)

// jobTime is how long a job may take from its submission to its end.
const jobTime = 8 * time.Minute

// machine is a GitLab and a runner of one test's own.
type machine struct {
	*testing.T
	server *gitlab.Server
	runner *runner.Runner
	dir    string
	// token is the short form of the runner's token: names of containers and
	// volumes begin with podman-executor-TOKEN-.
	token string
	// repository is the job that cloneOnce copies.
	repository *gitlab.Job
}

// policyText returns a policy: general and podman are lines for [general] and
// [general.podman], which win over the defaults; "-key" leaves a default out.
func policyText(dir string, general, podman []string) string {
	lines := []string{
		"[general]", `run_mechanism = "podman"`,
		fmt.Sprintf("log_file = %q", filepath.Join(dir, "driver.log")), `log_level = "debug"`, `log_format = "json"`,
	}
	if !hasKey(general, "state_dir") {
		lines = append(lines, fmt.Sprintf("state_dir = %q", filepath.Join(dir, "state")))
	}
	lines = append(lines, general...)
	lines = append(lines, "[general.podman]")
	defaults := []string{
		fmt.Sprintf("runner_image = %q", runnerImage),
		fmt.Sprintf("default_image = %q", debianImage),
		`image_pull_policy = "missing"`,
		// The coordinator listens on loopback.
		`runner_options = ["--network=host"]`,
	}
	if storage := storageEnvironment(); storage != "" {
		defaults = append(defaults, storage)
	}
	for _, d := range append(defaults, serviceLines(podman)...) {
		key, _, _ := strings.Cut(d, " ")
		if !hasKey(podman, key) {
			lines = append(lines, d)
		}
	}
	for _, line := range podman {
		if !strings.HasPrefix(line, "-") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// serviceLines are those of the service that has the containers of all tests: with
// `make test-remote` that of another user, see test/suites/remote/run. A test of a service of its
// own keeps that.
func serviceLines(podman []string) []string {
	url := os.Getenv("PODMAN_EXECUTOR_TEST_SERVICE")
	if url == "" || hasKey(podman, "service_url") {
		return nil
	}
	lines := []string{fmt.Sprintf("service_url = %q", url)}
	if strings.HasPrefix(url, "ssh://") {
		lines = append(lines, fmt.Sprintf("identity = %q", os.Getenv("PODMAN_EXECUTOR_TEST_IDENTITY")),
			fmt.Sprintf("known_hosts = %q", os.Getenv("PODMAN_EXECUTOR_TEST_KNOWN_HOSTS")))
	}
	return lines
}

// overService tells whether the tests have their containers in podman of another user.
func overService() bool { return os.Getenv("PODMAN_EXECUTOR_TEST_SERVICE") != "" }

func hasKey(lines []string, key string) bool {
	for _, l := range lines {
		if l == "-"+key || strings.HasPrefix(l, key+" ") {
			return true
		}
	}
	return false
}

// storageEnvironment is the line that shows the driver's podman the storage of
// the tests, where it is not the user's own: podman's environment has nothing
// but what the policy says.
func storageEnvironment(more ...string) string {
	var variables []string
	for _, name := range []string{"CONTAINERS_STORAGE_CONF", "CONTAINERS_CONF"} {
		if value := os.Getenv(name); value != "" {
			variables = append(variables, fmt.Sprintf("%q", name+"="+value))
		}
	}
	for _, m := range more {
		variables = append(variables, fmt.Sprintf("%q", m))
	}
	if len(variables) == 0 {
		return ""
	}
	return "environment = [" + strings.Join(variables, ", ") + "]"
}

// start starts a GitLab and a runner for one test.
func start(t *testing.T, policy func(dir string) string) *machine {
	t.Helper()
	return startConcurrent(t, 1, policy)
}

func startConcurrent(t *testing.T, concurrent int, policy func(dir string) string) *machine {
	t.Helper()
	return startConfigured(t, concurrent, policy, nil)
}

func startConfigured(t *testing.T, concurrent int, policy func(dir string) string, config func(runner.Config) string) *machine {
	t.Helper()
	return startRunner(t, runner.Config{Concurrent: concurrent, Text: config}, policy)
}

// startRunner starts a runner with what of its configuration is its test's own.
func startRunner(t *testing.T, c runner.Config, policy func(dir string) string) *machine {
	t.Helper()
	return startAt(t, gitlab.Options{}, c, policy)
}

// startAt also says where GitLab listens, and by which name it is called.
func startAt(t *testing.T, o gitlab.Options, c runner.Config, policy func(dir string) string) *machine {
	t.Helper()
	token := strings.ToLower(rand.Text()[:9])
	o.RunnerToken = "glrt-" + token + "-rest-of-the-token"
	server, err := gitlab.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{T: t, server: server, dir: t.TempDir(), token: token}
	t.Cleanup(func() { _ = server.Close() })
	if policy != nil {
		c.Policy = policy(m.dir)
	}
	c.Program, c.Driver = environment(t, "GITLAB_RUNNER"), environment(t, "PODMAN_EXECUTOR_BIN")
	c.URL, c.Token, c.Dir = server.URL(), "glrt-"+token+"-rest-of-the-token", m.dir
	m.runner, err = runner.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.stop)
	return m
}

// defaults is the policy of most tests, with further lines of [general.podman].
func defaults(podman ...string) func(string) string {
	return func(dir string) string { return policyText(dir, nil, podman) }
}

func environment(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run `make test-e2e`", name)
	}
	return value
}

// stop stops the runner and shows what a failed test needs.
func (m *machine) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.runner.Stop(ctx); err != nil {
		m.Error(err)
	}
	if calls := m.server.Unexpected(); len(calls) > 0 {
		m.Errorf("calls that no GitLab gets: %q", calls)
	}
	m.removeVolumes()
	if m.Failed() {
		m.Logf("the runner's log:\n%s", tail(m.runner.Log(), 6000))
		log, _ := os.ReadFile(filepath.Join(m.dir, "driver.log"))
		m.Logf("the driver's log:\n%s", tail(string(log), 6000))
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// run runs a job to its end, and checks that nothing of it is left.
func (m *machine) run(job gitlab.Job) *gitlab.Run {
	m.Helper()
	run := m.server.Submit(job)
	m.wait(run)
	m.nothingLeft()
	return run
}

func (m *machine) wait(run *gitlab.Run) {
	m.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), jobTime)
	defer cancel()
	if err := run.Wait(ctx); err != nil {
		m.Fatalf("%v\n%s", err, run.Log())
	}
	m.Cleanup(func() {
		if m.Failed() {
			m.Logf("the log of job %q:\n%s", run.Job.Info.Name, run.Log())
		}
	})
}

// waitLog waits until a job has printed a text.
func (m *machine) waitLog(run *gitlab.Run, text string) {
	m.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), jobTime)
	defer cancel()
	if err := run.WaitLog(ctx, text); err != nil {
		m.Fatalf("%v\n%s", err, run.Log())
	}
}

// podman runs a podman command of the test's own. A list may fail for an object
// that another test removes meanwhile: then it is asked for again.
func podman(t *testing.T, args ...string) string {
	t.Helper()
	for {
		out, err := podmanCommand(args...).CombinedOutput()
		if err == nil {
			return strings.TrimSpace(string(out))
		}
		isList := slices.Contains(args, "ps") || slices.Contains(args, "ls")
		if !isList || !strings.Contains(string(out), "no such ") {
			t.Fatalf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// podmanCommand is one of the podman that has the jobs' containers.
func podmanCommand(args ...string) *exec.Cmd {
	if overService() {
		args = append([]string{"--url", os.Getenv("PODMAN_EXECUTOR_TEST_SOCKET")}, args...)
	}
	cmd := exec.Command("podman", args...)
	cmd.Dir = "/"
	return cmd
}

// projectKey names the project of jobs that have the machine's repository, as
// directories below data_dir and volumes have it (internal/job, projectKey).
func (m *machine) projectKey() string {
	m.Helper()
	u, err := url.Parse(m.server.URL())
	if err != nil {
		m.Fatal(err)
	}
	hash := sha256.Sum256([]byte(u.Host))
	return "project-" + hex.EncodeToString(hash[:6]) + "-7"
}

// job returns a job without an image of its own.
func job(name string, script ...string) gitlab.Job { return gitlab.NewJob(name, script...) }

// in gives a job an image.
func in(image string, j gitlab.Job) gitlab.Job {
	j.Image.Name = image
	return j
}

func itoa(n int) string { return strconv.Itoa(n) }
