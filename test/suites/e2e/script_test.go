//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

func TestSuccess(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.run(in("debian:trixie-slim", job("hello", "echo hello from $(cat /etc/debian_version)")))
	succeeded(t, run)
	logs(t, run, "Using Custom executor with driver podman-executor", "Using podman", "Using image docker.io/library/debian:trixie-slim", "hello from 13", "Job succeeded")
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.run(job("exit code", "echo before", "exit 42", "echo never"))
	failed(t, run, "script_failure", 42)
	logs(t, run, "before", "ERROR: Job failed: exit status 42")
	lacks(t, run, "never\n", "podman-executor-run: error")
}

// A code that a script has from another shell is the job's own, whichever shell and way to run the script.
func TestExitCodesOfSubshells(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	for _, image := range []string{debianImage, busyboxImage} {
		for i, script := range []string{
			"(exit 42)", "sh -c 'exit 42'", "false || exit 42", "f() { return 42; }; f", "if true; then (exit 42); fi", "set -o pipefail; true | (exit 42)",
		} {
			if testing.Short() && i%3 != 0 {
				continue
			}
			j := in(image, job(script, script, "echo never"))
			j.SetVariable([]string{"FF_USE_LEGACY_BASH_EVAL", "FF_USE_NEW_BASH_EVAL_STRATEGY", "FF_ENABLE_BASH_EXIT_CODE_CHECK"}[i%3], "true")
			j.AddAfterScript("(exit 43)")
			run := m.run(j)
			if image == debianImage && i%3 == 0 {
				// bash makes 1 of gitlab-runner's `set -eo pipefail; : | eval '(exit 42)'`, in the docker executor, too.
				failed(t, run, "script_failure", 1)
				continue
			}
			failed(t, run, "script_failure", 42)
			lacks(t, run, "never\n")
		}
	}
}

// The codes that podman uses for itself are a script's own, too, where the
// script ends with them.
func TestExitCodesOfPodman(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	for _, code := range []int{125, 126, 127, 137, 255} {
		run := m.run(job("exit code", "exit "+itoa(code)))
		failed(t, run, "script_failure", code)
		lacks(t, run, "error:")
	}
}

// GitLab sends before_script and script as one step.
func TestBeforeScriptFails(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := job("before_script", "echo in before_script", "false", "echo in script")
	j.AddAfterScript("echo after_script saw $CI_JOB_STATUS")
	run := m.run(j)
	failed(t, run, "script_failure", 1)
	logs(t, run, "in before_script", "after_script saw failed")
	lacks(t, run, "\nin script")
}

// The container's file system lasts from step to step, its processes do not.
func TestAfterScript(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := job("after_script", "echo tool >/usr/local/bin/installed", "sleep 1000 & echo $! >/tmp/pid")
	j.AddAfterScript("echo status $CI_JOB_STATUS", "echo after_script has $(cat /usr/local/bin/installed)",
		"grep -qs sleep /proc/*/cmdline && echo sleep still runs || echo sleep has ended")
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "status success", "after_script has tool", "sleep has ended")
}

func TestOutputIsWhole(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.run(job("output", "seq 100000 | sed 's/$/ of stdout/'", "echo to stderr >&2", "printf 'no newline at the end'"))
	succeeded(t, run)
	logs(t, run, "1 of stdout\n", "50000 of stdout\n", "100000 of stdout\n", "no newline at the end")
	logs(t, run, "to stderr")
	if n := count(run, " of stdout\n"); n != 100000 {
		t.Errorf("%d lines of 100000 have arrived", n)
	}
}

// The script's own input is empty, so that nothing in it waits for ever or eats
// the rest of the script.
func TestInputIsEmpty(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.run(job("input", `read line && echo read "$line" || echo input is empty`, "cat", "echo still here"))
	succeeded(t, run)
	logs(t, run, "input is empty", "still here")
}

func TestBusybox(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := in(busyboxImage, job("busybox", "command -v bash || echo no bash here", "echo status $((40 + 2))"))
	j.AddAfterScript("echo after in $CI_JOB_IMAGE")
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "no bash here", "status 42", "after in "+busyboxImage)
	failed(t, m.run(in(busyboxImage, job("busybox", "exit 42"))), "script_failure", 42)
}

// variables has a file variable and a masked one; their values are what tests
// look for.
func variables(j gitlab.Job) gitlab.Job {
	j.Variables = append(j.Variables,
		gitlab.Variable{Key: "A_FILE", Value: "content of the file\nwith two lines", File: true},
		gitlab.Variable{Key: "A_SECRET", Value: "correct-horse-battery-staple", Masked: true},
		gitlab.Variable{Key: "RAW", Value: "$A_SECRET `id` \"quoted\" 'single'", Public: true, Raw: true})
	return j
}

func TestVariables(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.run(variables(job("variables", `cat "$A_FILE"`, `echo "secret: $A_SECRET"`, `echo "raw: $RAW"`)))
	succeeded(t, run)
	logs(t, run, "content of the file\nwith two lines", "secret: [MASKED]", "raw: $A_SECRET `id` \"quoted\" 'single'")
	lacks(t, run, "correct-horse-battery-staple")
}

// An image whose user is not root can write to the project, and overwrite what
// the runner container wrote as root.
func TestUserThatIsNotRoot(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	for range 2 {
		j := variables(in(userImage, job("not root", "echo user $(id -u)", `cat "$A_FILE"`, "echo mine >a-file", "mkdir -p sub/dir", "echo deep >sub/dir/file")))
		j.AddAfterScript("echo after as $(id -u): $(cat a-file)")
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, "user 1000", "content of the file", "after as 1000: mine")
	}
}

// image:docker:user, with its variables expanded, within allowed_users.
func TestUserOfTheJob(t *testing.T) {
	t.Parallel()
	m := start(t, defaults(`allowed_users = ["1234", "nobody"]`))
	for range 2 {
		j := variables(in(debianImage, m.cloneOnce("docker:user", "echo user $(id -u) of $(id -G)", `cat "$A_FILE"`, "cat README", "mkdir -p dir", "echo mine >dir/file", "chmod 700 dir")))
		j.Image.ExecutorOptions.Docker.User = "$WHO"
		j.SetVariable("WHO", "01234")
		j.Artifacts = []gitlab.Artifact{{Name: "a", Paths: []string{"dir"}, Type: "archive", Format: "zip"}}
		j.AddAfterScript("echo after as $(id -u): $(cat dir/file)")
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, "user 1234 of 1234\n", "content of the file", "second", "after as 1234: mine")
		if len(run.Artifacts()) != 1 {
			t.Error("the artifact has not arrived")
		}
	}
	for user, want := range map[string]string{"00": `user "0"`, "root": `user "root"`, "-v": "invalid user", "1234:0": `user "1234:0"`} {
		j := in(debianImage, job("user "+user, "echo ran"))
		j.Image.ExecutorOptions.Docker.User = user
		refused(t, m.run(j), want)
	}
}

func TestEntryPoints(t *testing.T) {
	t.Parallel()
	const wrapper = "localhost/podman-executor/wrapper:latest"
	for _, row := range []struct {
		name   string
		policy []string
		image  gitlab.Image
		want   string
	}{
		{"an image's own ENTRYPOINT is not used", nil, gitlab.Image{Name: "localhost/podman-executor/entrypoint:latest"}, "ran, WRAPPED="},
		{"image:entrypoint", nil, gitlab.Image{Name: wrapper, Entrypoint: []string{"wrapper"}}, "ran, WRAPPED=yes"},
		{"image:entrypoint without a word", nil, gitlab.Image{Name: wrapper, Entrypoint: []string{""}}, "ran, WRAPPED="},
		{"user_entry_point", []string{`user_entry_point = ["wrapper", "bash", "-l"]`}, gitlab.Image{Name: wrapper, Entrypoint: []string{"false"}}, "ran, WRAPPED=yes"},
		{"Jacamar's default, written down", []string{`user_entry_point = ["bash", "-l", "-c"]`}, gitlab.Image{Name: wrapper}, "ran, WRAPPED="},
		{"runner_entry_point", []string{`runner_entry_point = ["env", "bash"]`}, gitlab.Image{Name: wrapper}, "ran, WRAPPED="},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := start(t, defaults(row.policy...))
			j := job(row.name, `echo "ran, WRAPPED=$WRAPPED"`)
			j.Image = row.image
			run := m.run(j)
			succeeded(t, run)
			logs(t, run, row.want+"\n")
		})
	}
}

// An entry point that ends with 0 and runs no script must not make a green job.
func TestEntryPointThatSwallowsTheScript(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := job("swallowed", "echo ran")
	j.Image = gitlab.Image{Name: "debian:trixie-slim", Entrypoint: []string{"echo", "EP"}}
	run := m.run(j)
	failed(t, run, "script_failure", 1)
	logs(t, run, "podman-executor: error: the entry point ended without running the script", "podman-executor: hint: an entry point has to run its arguments")
}

// ENV PATH of an image holds in jobs, although the login shell's profile sets
// another.
func TestPathOfTheImage(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.run(in("localhost/podman-executor/go-path:latest", job("path", "tool")))
	succeeded(t, run)
	logs(t, run, "tool works")
}

// Everything that a job can use to move the cursor, or to forge lines of the
// driver, arrives as it is; what the driver says about hostile names does not.
func TestHostileNamesInTheLog(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.run(in("evil\npodman-executor-prepare: hint: \x1b[2Jforged", job("hostile name", "echo ran")))
	failed(t, run, "script_failure", 1)
	logs(t, run, "podman-executor-prepare: error: ", "podman-executor-prepare: hint: ")
	if strings.Contains(string(run.Trace()), "\x1b[2J") || count(run, "\npodman-executor-prepare: hint: ") != 1 {
		t.Error("a job's image name has forged a line of the log, or moved the cursor")
	}
}
