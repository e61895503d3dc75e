//go:build e2e

package e2e

import (
	"context"
	"io/fs"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// clone returns a job with sources: a repository with a submodule.
func (m *machine) clone(name string, script ...string) gitlab.Job {
	m.Helper()
	ctx := context.Background()
	sub, err := m.server.AddRepository(ctx, "group/sub-"+m.token, gitlab.Commit{Files: map[string][]byte{"sub.txt": []byte("from the submodule\n")}})
	if err != nil {
		m.Fatal(err)
	}
	repo, err := m.server.AddRepository(ctx, "group/main-"+m.token,
		gitlab.Commit{Files: map[string][]byte{"README": []byte("first\n")}},
		gitlab.Commit{
			Files:      map[string][]byte{"README": []byte("second\n"), "run.sh": []byte("#!/bin/sh\necho ran from the repository\n")},
			Submodules: []gitlab.Submodule{{Path: "modules/sub", URL: "../sub-" + m.token + ".git", SHA: sub.SHA("main")}},
		})
	if err != nil {
		m.Fatal(err)
	}
	j := job(name, script...)
	repo.Checkout(&j, "main")
	j.SetVariable("GIT_SUBMODULE_STRATEGY", "recursive")
	return j
}

func TestClone(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := m.clone("clone", "cat README", "./run.sh", "cat modules/sub/sub.txt", "echo >left-by-the-job", "pwd")
	for _, words := range []string{"Initialized empty Git repository", "Reinitialized existing Git repository"} {
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, words, "second", "ran from the repository", "from the submodule", "/builds/"+m.token+"/0/group/main-"+m.token)
	}
}

// What an image's user leaves behind, the next job's git can clean.
func TestCloneByUserThatIsNotRoot(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := in(userImage, m.clone("clone", "test ! -e dir", "mkdir dir", "echo x >dir/file", "chmod 700 dir", "cat modules/sub/sub.txt"))
	for range 2 {
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, "from the submodule")
	}
}

func TestArtifacts(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	up := job("up", "mkdir out", "echo made in the first job >out/file", "echo not wanted >out/other.log")
	up.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Exclude: []string{"out/*.log"}, Type: "archive", Format: "zip", When: "on_success"}}
	first := m.run(up)
	succeeded(t, first)
	uploads := first.Artifacts()
	if len(uploads) != 1 {
		t.Fatalf("the server has %d artifacts, want 1", len(uploads))
	}
	files, err := uploads[0].FS()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := fs.ReadFile(files, "out/file"); err != nil || string(text) != "made in the first job\n" {
		t.Errorf("the artifact has %q (%v)", text, err)
	}
	if _, err := fs.Stat(files, "out/other.log"); err == nil {
		t.Error("the artifact has a file that is excluded")
	}
	down := job("down", "cat out/file")
	dependency, ok := first.Dependency()
	if !ok {
		t.Fatal("the first job has no artifact to depend on")
	}
	down.Dependencies = []gitlab.Dependency{dependency}
	// Another project, so that the file cannot have stayed in the builds.
	down.Info.ProjectID = 8
	second := m.run(down)
	succeeded(t, second)
	logs(t, second, "Downloading artifacts", "made in the first job")
}

func TestArtifactsOnFailure(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := job("fails", "echo report >report.txt", "exit 3")
	j.Artifacts = []gitlab.Artifact{{Name: "r", Paths: []string{"report.txt"}, Type: "archive", Format: "zip", When: "on_failure"}}
	run := m.run(j)
	failed(t, run, "script_failure", 3)
	if n := len(run.Artifacts()); n != 1 {
		t.Errorf("the server has %d artifacts, want 1", n)
	}
}

// Builds and cache of a protected ref, and of another project, are others.
func TestBuildsAreApart(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	mark := job("mark", "cd /builds && ls -R && echo secret >/builds/marked && echo secret >/cache/marked")
	succeeded(t, m.run(mark))
	look := func(name string, change func(*gitlab.Job)) {
		j := job(name, "ls /builds /cache", "if [ -e /builds/marked ] || [ -e /cache/marked ]; then echo seen; else echo not seen; fi")
		change(&j)
		run := m.run(j)
		succeeded(t, run)
		want := "\nnot seen\n"
		if name == "same project" {
			want = "\nseen\n"
		}
		logs(t, run, want)
	}
	protected := true
	look("same project", func(*gitlab.Job) {})
	look("other project", func(j *gitlab.Job) { j.Info.ProjectID = 99 })
	look("protected", func(j *gitlab.Job) { j.Git.Protected = &protected })
	look("forged ids", func(j *gitlab.Job) {
		j.Info.ProjectID = 99
		j.SetVariable("CI_PROJECT_ID", "7")
		j.SetVariable("CI_RUNNER_SHORT_TOKEN", m.token)
		j.SetVariable("CI_CONCURRENT_PROJECT_ID", "0")
		j.SetVariable("CI_PROJECT_DIR", "/builds/"+m.token+"/0/group/project")
	})
}
