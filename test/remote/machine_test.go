//go:build remote

package remote

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"podman-executor/test/gitlab"
	"podman-executor/test/runner"
)

const (
	runnerImage  = "localhost/podman-executor/runner:latest"
	busyboxImage = "localhost/podman-executor/busybox:latest"
)

// jobTime is how long a job may take from its submission to its end.
const jobTime = 90 * time.Second

// machine is a GitLab and a runner of one test's own.
type machine struct {
	*testing.T
	server *gitlab.Server
	runner *runner.Runner
	dir    string
	token  string
	// sockets are those of the services that the runner's jobs may get.
	sockets []string
}

// start starts a GitLab and a runner whose policy has lines of [general.podman];
// sockets are those of the services that they name.
func start(t *testing.T, sockets []string, lines ...string) *machine {
	t.Helper()
	return startWith(t, nil, sockets, lines...)
}

// startWith is start with variables, NAME=value, in the runner's environment.
func startWith(t *testing.T, variables, sockets []string, lines ...string) *machine {
	t.Helper()
	token := strings.ToLower(rand.Text()[:9])
	secret := "glrt-" + token + "-rest-of-the-token"
	server, err := gitlab.Start(gitlab.Options{RunnerToken: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	m := &machine{T: t, server: server, dir: t.TempDir(), token: token, sockets: sockets}
	policy := append([]string{
		"[general]", `run_mechanism = "podman"`, fmt.Sprintf("state_dir = %q", filepath.Join(m.dir, "state")),
		fmt.Sprintf("log_file = %q", filepath.Join(m.dir, "driver.log")), `log_level = "debug"`,
		"[general.podman]", fmt.Sprintf("runner_image = %q", runnerImage), fmt.Sprintf("default_image = %q", busyboxImage),
		`image_pull_policy = "missing"`, `runner_options = ["--network=host"]`,
	}, lines...)
	m.runner, err = runner.Start(runner.Config{
		Program: variable(t, "GITLAB_RUNNER"), Driver: variable(t, "PODMAN_EXECUTOR_BIN"),
		URL: server.URL(), Token: secret, Dir: m.dir, Policy: strings.Join(policy, "\n") + "\n", Concurrent: 4, Environment: variables,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.stop)
	return m
}

func variable(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run `make test-remote`", name)
	}
	return value
}

// The services of the other user, by ssh and by the socket.
func otherSSH(t *testing.T) string    { return variable(t, "PODMAN_EXECUTOR_TEST_SSH") }
func otherSocket(t *testing.T) string { return variable(t, "PODMAN_EXECUTOR_TEST_SOCKET") }

// files are the lines of the policy that ssh:// needs.
func files(identity, knownHosts string) []string {
	return []string{fmt.Sprintf("identity = %q", identity), fmt.Sprintf("known_hosts = %q", knownHosts)}
}

func (m *machine) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.runner.Stop(ctx); err != nil {
		m.Error(err)
	}
	for _, socket := range m.sockets {
		if names := m.named(socket, "volume", "ls", "--format", "{{.Name}}"); len(names) > 0 {
			_ = on(socket, append([]string{"volume", "rm", "--force"}, names...)...).Run()
		}
	}
	if m.Failed() {
		m.Logf("the runner's log:\n%s", tail(m.runner.Log(), 4000))
		log, _ := os.ReadFile(filepath.Join(m.dir, "driver.log"))
		m.Logf("the driver's log:\n%s", tail(string(log), 6000))
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// submit submits a job of a project.
func (m *machine) submit(project int64, script ...string) *gitlab.Run {
	j := gitlab.NewJob("remote", script...)
	j.Info.ProjectID = project
	return m.server.Submit(j)
}

// run runs a job to its end.
func (m *machine) run(project int64, script ...string) *gitlab.Run {
	m.Helper()
	run := m.submit(project, script...)
	m.wait(run)
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
			m.Logf("the job log:\n%s", run.Log())
		}
	})
}

func (m *machine) waitLog(run *gitlab.Run, text string) {
	m.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), jobTime)
	defer cancel()
	if err := run.WaitLog(ctx, text); err != nil {
		m.Fatalf("%v\n%s", err, run.Log())
	}
}

// ended checks how a job ended.
func (m *machine) ended(run *gitlab.Run, state gitlab.State, reason string) {
	m.Helper()
	if run.State() != state || run.FailureReason() != reason {
		m.Errorf("the job is %s (%s), want %s (%s)\n%s", run.State(), run.FailureReason(), state, reason, run.Log())
	}
}

// says checks that the job log has texts, in that order.
func (m *machine) says(run *gitlab.Run, texts ...string) {
	m.Helper()
	rest := run.Log()
	for _, text := range texts {
		_, after, ok := strings.Cut(rest, text)
		if !ok {
			m.Errorf("the job log lacks %q, or has it elsewhere:\n%s", text, run.Log())
			return
		}
		rest = after
	}
}

// on is a podman command on a service.
func on(socket string, args ...string) *exec.Cmd {
	cmd := exec.Command("podman", append([]string{"--url", socket}, args...)...)
	cmd.Dir = "/"
	return cmd
}

// named returns what a podman command lists of the machine's jobs.
func (m *machine) named(socket string, args ...string) []string {
	m.Helper()
	out, err := on(socket, args...).Output()
	if err != nil {
		m.Errorf("podman %s on %s: %v", strings.Join(args, " "), socket, err)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool {
		return !strings.HasPrefix(name, "podman-executor-"+m.token+"-")
	})
}

// nothingLeft checks that the services have nothing of the machine's jobs but volumes,
// and that the runner's directories are gone.
func (m *machine) nothingLeft() {
	m.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		var left []string
		for _, socket := range m.sockets {
			left = append(left, m.named(socket, "ps", "--all", "--format", "{{.Names}}")...)
			left = append(left, m.named(socket, "network", "ls", "--format", "{{.Name}}")...)
		}
		marks, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "podman-executor", "*", "podman-executor-owner"))
		for _, mark := range marks {
			if text, err := os.ReadFile(mark); err == nil && strings.Contains(string(text), fmt.Sprintf("/%d/", m.runner.PID())) {
				left = append(left, mark)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			m.Errorf("there is left: %q", left)
			return
		}
	}
}
