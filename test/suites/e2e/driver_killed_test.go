//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// trap is a podman for application_path that counts its calls, and does to one of
// them what a test asks for. Everything else the real podman does.
type trap struct {
	*testing.T
	dir string
}

// trapProgram writes down each call, without the URL of a service, in a directory with
// the call's number. The files `number` and `pattern` beside those tell which call is
// caught, by its number or by its words. It is caught once, and dealt with by the lines
// of the file `act`, in a shell where $podman is the real one.
const trapProgram = `#!/bin/sh
traps=%q podman=%q
n=1
until mkdir "$traps/$n" 2>/dev/null; do n=$((n + 1)); done
words=$*
words=${words#--url * }
printf '%%s\n' "$words" >"$traps/$n/call"
caught() {
	mv "$traps/$1" "$traps/$n/$1" || return 0
	shift
	. "$traps/act"
}
if [ "$n" = "$(cat "$traps/number" 2>/dev/null)" ]; then
	caught number "$@"
elif [ -e "$traps/pattern" ]; then
	case $words in
	$(cat "$traps/pattern")) caught pattern "$@" ;;
	esac
fi
exec "$podman" "$@"
`

// Acts of a trap: how its caller, which is a program of the driver, is killed.
const (
	killBefore = `kill -s KILL "$PPID"; exit 1`
	killAfter  = `"$podman" "$@"; status=$?; kill -s KILL "$PPID"; exit $status`
)

func newTrap(t *testing.T) trap {
	t.Helper()
	podman, err := exec.LookPath("podman")
	if err != nil {
		t.Fatal(err)
	}
	p := trap{T: t, dir: t.TempDir()}
	if err := os.WriteFile(p.program(), fmt.Appendf(nil, trapProgram, p.dir, podman), 0o700); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p trap) program() string { return filepath.Join(p.dir, "podman") }

// key is the line of the policy.
func (p trap) key() string { return fmt.Sprintf("application_path = %q", p.program()) }

// making is the command that makes a job's containers. Over a service each of their steps
// is a start of its own.
func making() string {
	if overService() {
		return "create"
	}
	return "run"
}

// arm sets the trap for the nth call from now on.
func (p trap) arm(n int, act string) {
	p.Helper()
	p.set("number", strconv.Itoa(len(p.calls())+n), act)
}

// armFor sets the trap for the next call whose command line matches the shell's
// pattern.
func (p trap) armFor(pattern, act string) {
	p.Helper()
	p.set("pattern", pattern, act)
}

func (p trap) set(kind, which, act string) {
	p.Helper()
	for _, file := range []struct{ name, text string }{{"act", act}, {kind, which}} {
		if err := os.WriteFile(filepath.Join(p.dir, file.name), []byte(file.text), 0o600); err != nil {
			p.Fatal(err)
		}
	}
}

// waitCaught waits until a call was caught whose act makes the file `hit`.
func (p trap) waitCaught() {
	p.Helper()
	for deadline := time.Now().Add(jobTime); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(p.dir, "hit")); err == nil {
			return
		}
		if time.Now().After(deadline) {
			p.Fatal("the trap has caught nothing")
		}
	}
}

// calls are the command lines so far.
func (p trap) calls() []string {
	p.Helper()
	var list []string
	for n := 1; ; n++ {
		text, err := os.ReadFile(filepath.Join(p.dir, strconv.Itoa(n), "call"))
		if err != nil {
			return list
		}
		list = append(list, strings.TrimSpace(string(text)))
	}
}

// since returns the calls after the first n, each by the words before its options.
func (p trap) since(n int) []string {
	p.Helper()
	var verbs []string
	for _, line := range p.calls()[n:] {
		verb, _, _ := strings.Cut(line, " --")
		verbs = append(verbs, verb)
	}
	return verbs
}

// forgetLooks makes the next job look for leftovers, whatever tells it that there are
// none. It makes the jobs of other tests do so, too, which does them no harm.
func (p trap) forgetLooks() {
	p.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "podman-executor", "looked-*"))
	if err != nil {
		p.Fatal(err)
	}
	for _, file := range files {
		_ = os.Remove(file)
	}
}

// Each program of the driver is killed at each podman command of a job: before it
// and, where the command changes anything, when it is done. The job ends as it must:
// what did not run to its end has not succeeded. The next job works, and after it
// nothing of either is left.
func TestDriverKilledAtEachStep(t *testing.T) {
	t.Parallel()
	driverKilledAtEachStep(t)
}

// With a container that is started for each step there are more commands; over a service
// that is the only way.
func TestDriverKilledAtEachStart(t *testing.T) {
	t.Parallel()
	driverKilledAtEachStep(t, "start_per_step = true")
}

func driverKilledAtEachStep(t *testing.T, keys ...string) {
	p := newTrap(t)
	m := start(t, defaults(append(keys, p.key())...))
	succeeded(t, m.run(killed("makes the volumes")))
	before := len(p.calls())
	p.forgetLooks()
	succeeded(t, m.run(killed("counts")))
	for n, step := range p.since(before) {
		if leftOut(n, 5) {
			continue
		}
		m.driverKilled(p, n, step, "before", killBefore)
		if step == "create" || step == "run" || step == "start" || step == "rm" {
			m.driverKilled(p, n, step, "after", killAfter)
		}
	}
}

// driverKilled runs a job whose driver is killed at its nth podman command.
func (m *machine) driverKilled(p trap, n int, step, when, act string) {
	m.Helper()
	before := len(p.calls())
	p.forgetLooks()
	p.arm(n+1, act)
	run := m.server.Submit(killed(fmt.Sprintf("driver killed %s command %d, %s", when, n+1, step)))
	m.wait(run)
	// Where prepare finds leftovers of others, it is another command.
	m.endsAsKilled(run, p.since(before)[n])
	if len(m.leftovers()) > 0 {
		succeeded(m.T, m.run(killed("next")))
	}
}

// killed is a job whose driver is to be killed. Its words are not in its script.
func killed(name string) gitlab.Job {
	j := job(name, "echo the script: $((6 * 7))")
	j.AddAfterScript("echo the after_script: $((6 * 8))")
	return j
}

// endsAsKilled checks the end of a job whose driver was killed at a podman command.
func (m *machine) endsAsKilled(run *gitlab.Run, step string) {
	m.Helper()
	m.Logf("%s: %s (%s)", run.Job.Info.Name, run.State(), run.FailureReason())
	// Over a service a step that has ended well is looked at before it counts.
	inStep := step == "start" || overService() && step == "container inspect"
	switch {
	case !inStep:
		// The runner tries a prepare that was killed again, and a job that has ended
		// stays as it is when its cleanup is killed.
		succeeded(m.T, run)
		logs(m.T, run, "the script: 42", "the after_script: 48")
	case run.State() == gitlab.StateSuccess:
		// after_script, and what comes after it, count for nothing
		// (gitlab-runner common/build.go, executeAfterScript).
		logs(m.T, run, "the script: 42")
	default:
		failed(m.T, run, "runner_system_failure", 0)
	}
}
