//go:build e2e

package e2e

import (
	"io/fs"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// A job of another user than root finds what it has cached, artifacts and file
// variables, may write to builds and cache, and leaves nothing behind that
// stops the next job's git: directories closed to others, and a project
// directory of its own.
func TestFilesOfOtherUsers(t *testing.T) {
	t.Parallel()
	const allowed = `allowed_users = ["1234"]`
	policies, caches := map[string]func(string) string{"volumes": defaults(allowed)}, map[string]string{"volumes": "/cache"}
	if !overService() { // ssh:// has no data_dir
		withDataDir, dir := dataDir(t, allowed)
		policies["data_dir"], caches["data_dir"] = withDataDir, dir+"/cache/PROJECT"
	}
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := start(t, policy)
			var first *gitlab.Run
			for i, git := range []string{"Initialized empty Git repository", "Removing private/", "Removing private/"} {
				run := m.run(m.jobOfOtherUser(strings.Replace(caches[name], "PROJECT", m.projectKey(), 1), i == 0))
				succeeded(t, run)
				logs(t, run, git, "uid 1234", "content of the file", "all written", "after_script as 1234 reads deep", "content of the file", "Created cache")
				if i == 0 {
					first = run
				}
			}
			dependency, ok := first.Dependency()
			if !ok {
				t.Fatal("the artifact has not arrived")
			}
			down := in(userImage, job("down", "cat private/deep/file"))
			down.Image.ExecutorOptions.Docker.User = "1234"
			down.Dependencies = []gitlab.Dependency{dependency}
			run := m.run(down)
			succeeded(t, run)
			logs(t, run, "Downloading artifacts", "deep\n")
		})
	}
}

// jobOfOtherUser is a job of uid 1234 that wants its cache, unless it is the first.
func (m *machine) jobOfOtherUser(cache string, first bool) gitlab.Job {
	m.Helper()
	found := "cat cached/closed/file"
	if first {
		found = "mkdir cached cached/closed"
	}
	j := variables(in(gitImage, m.cloneOnce("other user",
		"echo uid $(id -u)", `cat "$A_FILE"`, "test ! -e private", found,
		"echo deep >cached/closed/file", "chmod 700 cached/closed", "chmod 600 cached/closed/file",
		"mkdir private private/deep", "echo deep >private/deep/file", "chmod 700 private private/deep", "chmod 600 private/deep/file",
		"touch "+cache+"/of-the-user-$CI_JOB_ID", "echo all written",
		"cd ..", `cp -R "$CI_PROJECT_NAME" copy`, `mv "$CI_PROJECT_NAME" "old-$CI_JOB_ID"`, `mv copy "$CI_PROJECT_NAME"`)))
	j.Image.ExecutorOptions.Docker.User = "1234"
	j.Cache = []gitlab.Cache{{Key: "k", Paths: []string{"cached"}, Policy: "pull-push"}}
	j.Artifacts = []gitlab.Artifact{{Name: "a", Paths: []string{"private"}, Type: "archive", Format: "zip"}}
	j.AddAfterScript("echo after_script as $(id -u) reads $(cat private/deep/file)", `cat "$A_FILE"`)
	return j
}

// With step_script_only the runner's own steps are on the host, as gitlab-runner's
// user: who is the job's user, too, whatever number it has in the container.
func TestOtherUsersWithStepScriptOnly(t *testing.T) {
	t.Parallel()
	policy, dir := dataDir(t, "step_script_only = true", "-runner_image", "-runner_options")
	m := start(t, policy)
	for i, git := range []string{"Initialized empty Git repository", "Removing private/"} {
		run := m.run(m.jobOfOtherUser(dir+"/cache/"+m.projectKey(), i == 0))
		succeeded(t, run)
		logs(t, run, git, "uid 1234", "content of the file", "all written", "after_script as 1234 reads deep", "content of the file", "Created cache")
		if len(run.Artifacts()) != 1 {
			t.Fatal("the artifact has not arrived")
		}
		archive, err := run.Artifacts()[0].FS()
		if err != nil {
			t.Fatal(err)
		}
		if text, err := fs.ReadFile(archive, "private/deep/file"); err != nil || string(text) != "deep\n" {
			t.Errorf("the artifact has %q (%v)", text, err)
		}
	}
	// What the jobs of one image leave, those of another's user can clean and use.
	const script = "echo uid $(id -u); test ! -e mine && mkdir mine && chmod 700 mine && echo done"
	for image, uid := range map[string]string{userImage: "1000", debianImage: "0"} {
		for range 2 {
			run := m.run(in(image, m.cloneOnce("another image", script)))
			succeeded(t, run)
			logs(t, run, "uid "+uid+"\n", "done")
			lacks(t, run, "is a name")
		}
	}
	// One with a name is another on the host, and writes what the runner's steps have made.
	named := in(debianImage, m.cloneOnce("named", "id -un", "echo more >>README"))
	named.Hooks = []gitlab.Hook{{Name: "pre_get_sources_script", Script: []string{"echo umask $(umask)"}}}
	named.Image.ExecutorOptions.Docker.User = "daemon"
	run := m.run(named)
	succeeded(t, run)
	logs(t, run, `podman-executor-prepare: warning: the job's user "daemon" is a name`, "umask 0000\n", "daemon\n")
}
