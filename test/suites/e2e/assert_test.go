//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// leftoverTime is how long after its end something of a job may be left. Over a service
// each podman command takes longer.
func leftoverTime() time.Duration {
	if overService() {
		return 30 * time.Second
	}
	return 10 * time.Second
}

// succeeded checks that a job passed.
func succeeded(t *testing.T, run *gitlab.Run) {
	t.Helper()
	if run.State() != gitlab.StateSuccess {
		t.Errorf("job %q is %s (%s, exit code %d), want success", run.Job.Info.Name, run.State(), run.FailureReason(), run.ExitCode())
	}
}

// failed checks how a job failed.
func failed(t *testing.T, run *gitlab.Run, reason string, exitCode int) {
	t.Helper()
	if run.State() != gitlab.StateFailed || run.FailureReason() != reason || run.ExitCode() != exitCode {
		t.Errorf("job %q is %s (%s, exit code %d), want failed (%s, exit code %d)",
			run.Job.Info.Name, run.State(), run.FailureReason(), run.ExitCode(), reason, exitCode)
	}
}

// logs checks that the job log has texts, in that order.
func logs(t *testing.T, run *gitlab.Run, texts ...string) {
	t.Helper()
	rest := run.Log()
	for _, text := range texts {
		_, after, ok := strings.Cut(rest, text)
		if !ok {
			t.Errorf("the log of job %q lacks %q, or has it elsewhere", run.Job.Info.Name, text)
			continue
		}
		rest = after
	}
}

// lacks checks that the job log has none of the texts.
func lacks(t *testing.T, run *gitlab.Run, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(run.Log(), text) {
			t.Errorf("the log of job %q has %q", run.Job.Info.Name, text)
		}
	}
}

// count returns how often a text stands in the job log.
func count(run *gitlab.Run, text string) int { return strings.Count(run.Log(), text) }

// nothingLeft checks that nothing of the machine's jobs is left: no container,
// network, volume but those of the project, auth file, temporary directory or
// process.
func (m *machine) nothingLeft() {
	m.Helper()
	deadline := time.Now().Add(leftoverTime())
	for {
		left := m.leftovers()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			m.Errorf("%s after the job there is left:\n  %s", leftoverTime(), strings.Join(left, "\n  "))
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// leftovers names everything of the machine's jobs that outlives them.
func (m *machine) leftovers() []string {
	m.Helper()
	var left []string
	prefix := "podman-executor-" + m.token + "-"
	for _, name := range strings.Fields(podman(m.T, "ps", "--all", "--format", "{{.Names}}")) {
		if strings.HasPrefix(name, prefix) {
			left = append(left, "container "+name)
		}
	}
	for _, name := range strings.Fields(podman(m.T, "network", "ls", "--format", "{{.Name}}")) {
		if strings.HasPrefix(name, prefix) {
			left = append(left, "network "+name)
		}
	}
	left = append(left, m.secrets()...)
	for _, name := range m.volumes() {
		if !strings.HasSuffix(name, "-builds") && !strings.HasSuffix(name, "-cache") && !strings.Contains(name, "-volume-") {
			left = append(left, "volume "+name)
		}
	}
	entries, _ := os.ReadDir(m.runner.TempDir())
	for _, e := range entries {
		// A killed runner leaves its own copy of the job log there.
		if e.Type().IsRegular() && strings.HasPrefix(e.Name(), "trace") {
			continue
		}
		left = append(left, "directory "+e.Name()+" in the runner's TMPDIR")
	}
	return append(append(left, m.runtimeDirectories()...), m.processes()...)
}

// secrets names the podman secrets of the machine's jobs, and what tells of them.
func (m *machine) secrets() []string {
	m.Helper()
	left, _ := filepath.Glob(filepath.Join(m.dir, "state", "secrets", "*"))
	for _, name := range strings.Fields(podman(m.T, "secret", "ls", "--format", "{{.Name}}")) {
		// Another test's may be gone by now.
		labels, _ := podmanCommand("secret", "inspect", "--format", "{{.Spec.Labels}}", name).Output()
		if strings.Contains(string(labels), "io.podman-executor.attempt:"+m.runner.TempDir()+"/") {
			left = append(left, "secret "+name)
		}
	}
	return left
}

// volumes returns the volumes of the machine's jobs.
func (m *machine) volumes() []string {
	m.Helper()
	var names []string
	for _, name := range strings.Fields(podman(m.T, "volume", "ls", "--format", "{{.Name}}")) {
		if strings.HasPrefix(name, "podman-executor-"+m.token+"-") {
			names = append(names, name)
		}
	}
	return names
}

func (m *machine) removeVolumes() {
	if names := m.volumes(); len(names) > 0 {
		podman(m.T, append([]string{"volume", "rm", "--force"}, names...)...)
	}
}

// runtimeDirectories are directories with auth files, or pinned volumes, of this
// machine's runner.
func (m *machine) runtimeDirectories() []string {
	m.Helper()
	var left []string
	found, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "podman-executor*", "*"))
	for _, dir := range found {
		owner, err := os.ReadFile(filepath.Join(dir, "podman-executor-owner"))
		if err == nil && strings.Contains(string(owner), fmt.Sprintf("/%d/", m.runner.PID())) {
			left = append(left, "directory "+dir)
		}
	}
	return left
}

// processes are those that name one of the machine's containers on their command
// line (podman, conmon), or have the machine's directory in their environment
// (the driver, and steps on the host).
func (m *machine) processes() []string {
	m.Helper()
	var left []string
	for _, p := range processesWith("podman-executor-"+m.token+"-", "TMPDIR="+m.dir) {
		if p.pid != m.runner.PID() && !p.watchesLook() {
			left = append(left, fmt.Sprintf("process %d: %s", p.pid, p.line))
		}
	}
	return left
}

// watchesLook tells whether it is conmon of a `podman exec` over a service: podman 4.3.1 keeps
// two of them for five minutes after each (docs/decisions/0028), containers and all gone.
func (p process) watchesLook() bool {
	return overService() && p.name == "conmon" && strings.Contains(p.line, " --exec-process-spec ")
}

type process struct {
	pid int
	// name is the first 15 bytes of the program's, line its command line.
	name, line string
}

// processesWith returns the processes, but this one, that have one of the texts
// on their command line or in their environment.
func processesWith(texts ...string) []process {
	var list []process
	found, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range found {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		name, _ := os.ReadFile(filepath.Join(dir, "comm"))
		for _, text := range texts {
			if pid != os.Getpid() && (strings.Contains(string(line), text) || strings.Contains(string(env), text)) {
				list = append(list, process{pid, strings.TrimSpace(string(name)), strings.ReplaceAll(string(line), "\x00", " ")})
				break
			}
		}
	}
	return list
}

// leftOut reports whether the short form of the suite leaves the case with that number out: it takes one of so many.
func leftOut(number, of int) bool { return testing.Short() && number%of != 0 }
