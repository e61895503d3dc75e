//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// What a step writes to GITLAB_ENV the next ones have, whoever the image's user is.
func TestGitLabEnv(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	for _, image := range []string{debianImage, busyboxImage, userImage} {
		j := in(image, job("dotenv", `echo "FROM_SCRIPT=one two" >>"$GITLAB_ENV"`))
		j.Steps = append(j.Steps, gitlab.Step{
			Name: "second", Script: []string{`echo "the second step has $FROM_SCRIPT"`, `echo "FROM_SECOND=three" >>"$GITLAB_ENV"`}, Timeout: 300, When: "on_success",
		})
		j.AddAfterScript(`echo "after_script has $FROM_SCRIPT and $FROM_SECOND"`)
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, "the second step has one two\n", "after_script has one two and three\n")
	}
	// It is the job's own.
	run := m.run(job("another", `echo "another has ${FROM_SCRIPT:-nothing}"`))
	succeeded(t, run)
	logs(t, run, "another has nothing\n")
}

func TestScriptTimeouts(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := job("script", endless...)
	j.SetVariable("RUNNER_SCRIPT_TIMEOUT", "8s")
	j.AddAfterScript("echo after_script ran, $CI_JOB_STATUS")
	run := m.run(j)
	failed(t, run, "job_execution_timeout", 0)
	logs(t, run, "tick", "after_script ran, timedout", "ERROR: Job failed: script timeout")
	lacks(t, run, "podman-executor-run: error")

	j = job("after_script", "echo script ran")
	j.SetVariable("RUNNER_AFTER_SCRIPT_TIMEOUT", "8s")
	j.SetVariable("AFTER_SCRIPT_IGNORE_ERRORS", "true")
	j.AddAfterScript(endless...)
	j.Artifacts = []gitlab.Artifact{{Name: "none", Paths: []string{"none"}, Type: "archive", Format: "zip"}}
	run = m.run(j)
	succeeded(t, run)
	logs(t, run, "script ran", "tick", "WARNING: after_script failed", "Uploading artifacts")
}

// Each command is shown as the shell runs it, and masked values are masked. busybox's
// shell writes such a line piece by piece, and to another stream than that of what
// commands print, which may come in between: so here each has a second for itself.
func TestDebugTrace(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	// bash runs the script one shell deeper.
	for image, mark := range map[string]string{debianImage: "++", busyboxImage: "+"} {
		j := variables(in(image, job("trace", `sleep 1; : "secret: $A_SECRET"; sleep 1; sh -c 'sleep 1; echo "secret: $A_SECRET"; sleep 1'`)))
		j.SetVariable("CI_DEBUG_TRACE", "true")
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, "\n"+mark+" : 'secret: [MASKED]'\n", "\nsecret: [MASKED]\n")
		lacks(t, run, "correct-horse-battery-staple")
	}
}

// The author's hooks run in the runner container, before and after the sources.
func TestHooks(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := m.cloneOnce("hooks", "cat made-by-the-hook")
	j.Hooks = []gitlab.Hook{
		{Name: "pre_get_sources_script", Script: []string{"echo before as $(id -u): $(git --version)", `git config --global user.name "The Hook"`}},
		{Name: "post_get_sources_script", Script: []string{"echo after: $(cat README)", `git config user.name >made-by-the-hook`}},
	}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "before as 0: git version", "Checking out ", "after: second", "The Hook\n")

	j.Hooks[0].Script = []string{"exit 9"}
	run = m.run(j)
	failed(t, run, "script_failure", 9)
	lacks(t, run, "The Hook")
}

// The flags that change what scripts look like, or what the runner's programs in
// the runner container do; FF_CONCRETE and FF_SCRIPT_TO_STEP_MIGRATION are not for
// the custom executor (gitlab-runner common/steps.go:16).
var featureFlags = []string{
	"FF_USE_DIRECT_DOWNLOAD=false", "FF_USE_FASTZIP=false", "FF_ENABLE_BASH_EXIT_CODE_CHECK=true", "FF_USE_LEGACY_BASH_EVAL=true", "FF_SCRIPT_SECTIONS=true",
	"FF_ENABLE_JOB_CLEANUP=true", "FF_POSIXLY_CORRECT_ESCAPES=true", "FF_RESOLVE_FULL_TLS_CHAIN=true", "FF_USE_GIT_BUNDLE_URIS=false",
	"FF_USE_GIT_NATIVE_CLONE=true", "FF_CLEAN_UP_FAILED_CACHE_EXTRACT=true", "FF_GIT_URLS_WITHOUT_TOKENS=true", "FF_USE_GITALY_CORRELATION_ID=false",
	"FF_USE_GIT_PROACTIVE_AUTH=true", "FF_HASH_CACHE_KEYS=true", "FF_USE_PARALLEL_CACHE_TRANSFER=true", "FF_USE_PARALLEL_ARTIFACT_TRANSFER=true",
	"FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR=true", "FF_TIMESTAMPS=true", "FF_LOG_IMAGES_CONFIGURED_FOR_JOB=true",
}

// A job with sources, cache, artifacts and an after_script, with each flag: in
// an image with bash and one without, as root and as another user.
func TestFeatureFlags(t *testing.T) {
	t.Parallel()
	m := startConcurrent(t, 2, defaults())
	var runs []*gitlab.Run
	images := []string{debianImage, busyboxImage, userImage}
	for i, flag := range featureFlags {
		if leftOut(i, 7) {
			continue
		}
		name, value, _ := strings.Cut(flag, "=")
		j := variables(in(images[i%len(images)], m.cloneOnce(flag, "cat README modules/sub/sub.txt", "echo \"it's\" 'a \"quoted\"' \\$ word\necho second line", `cat "$A_FILE"`, "mkdir -p out", "echo made >out/file", "false || exit 6")))
		j.SetVariable(name, value)
		j.SetVariable("GIT_STRATEGY", "clone")
		j.Cache = []gitlab.Cache{{Key: itoa(i % len(images)), Paths: []string{"out"}, Policy: "pull-push", When: "always"}}
		j.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Type: "archive", Format: "zip", When: "always"}}
		j.AddAfterScript("echo after_script has $(cat out/file)")
		runs = append(runs, m.server.Submit(j))
	}
	for _, run := range runs {
		m.wait(run)
		failed(t, run, "script_failure", 6)
		for _, text := range []string{
			"second", "from the submodule", `it's a "quoted" $ word`, "second line", "content of the file",
			"after_script has made", "Created cache", "Uploading artifacts",
		} {
			if count(run, text) == 0 {
				t.Errorf("with %s the log lacks %q", run.Job.Info.Name, text)
			}
		}
		if len(run.Artifacts()) != 1 {
			t.Errorf("with %s the artifact has not arrived", run.Job.Info.Name)
		}
	}
	m.nothingLeft()
}

// What docs/troubleshooting.md says of large variables: the kernel refuses one of more than 131,071 bytes, with its name, to the driver.
func TestLargeVariables(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := job("large", `echo "length ${#BIG}"`)
	j.SetVariable("BIG", strings.Repeat("x", 131000))
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "length 131000\n")
	j.SetVariable("BIG", strings.Repeat("x", 131072))
	run = m.run(j)
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "argument list too long")
}
