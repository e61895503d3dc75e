package gitlab

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// clone runs git clone with a job's token and returns the work tree.
func clone(t *testing.T, repo *Repository, token string, args ...string) (string, error) {
	t.Helper()
	u, err := url.Parse(repo.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(gitUser, token)
	dir := t.TempDir()
	_, err = git(t.Context(), dir, nil, append([]string{"clone", "--quiet", u.String(), "work"}, args...)...)
	return filepath.Join(dir, "work"), err
}

func wantFile(t *testing.T, dir, name, want string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || string(got) != want {
		t.Errorf("%s: %q, %v; want %q", name, got, err, want)
	}
}

func addRepository(t *testing.T, s *Server, path string, commits ...Commit) *Repository {
	t.Helper()
	repo, err := s.AddRepository(t.Context(), path, commits...)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

func files(pairs ...string) map[string][]byte {
	m := make(map[string][]byte)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = []byte(pairs[i+1])
	}
	return m
}

func TestClone(t *testing.T) {
	server, c := start(t)
	repo := addRepository(t, server, "group/project",
		Commit{Files: files("README", "one\n", "gone", "x", "dir/a file", "spaces\n")},
		Commit{Files: map[string][]byte{"README": []byte("two\n"), "gone": nil, "run.sh": []byte("#!/bin/sh\n"), "empty": {}}, Tag: "v1"},
		Commit{Branch: "topic", Files: files("topic", "t")})
	run := server.Submit(NewJob("job", "true"))

	work, err := clone(t, repo, run.Job.Token)
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, work, "README", "two\n")
	wantFile(t, work, "dir/a file", "spaces\n")
	wantFile(t, work, "empty", "")
	if _, err := os.Stat(filepath.Join(work, "gone")); !os.IsNotExist(err) {
		t.Errorf("removed file: %v", err)
	}
	if info, err := os.Stat(filepath.Join(work, "run.sh")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("run.sh is not executable: %v, %v", info, err)
	}
	head, err := git(t.Context(), work, nil, "rev-parse", "HEAD")
	if err != nil || strings.TrimSpace(head) != repo.SHA("main") || repo.SHA("v1") != repo.SHA("main") {
		t.Errorf("HEAD is %q, %v; main is %s, v1 is %s", head, err, repo.SHA("main"), repo.SHA("v1"))
	}

	work, err = clone(t, repo, run.Job.Token, "--depth=1", "--branch=topic")
	if err != nil {
		t.Fatal(err)
	}
	if count, err := git(t.Context(), work, nil, "rev-list", "--count", "HEAD"); err != nil || count != "1\n" {
		t.Errorf("shallow clone has %q commits, %v", count, err)
	}
	if _, err := git(t.Context(), work, nil, "push", "--quiet", "origin", "HEAD:refs/heads/evil"); err == nil {
		t.Error("a push was accepted")
	}
	var fetches int
	for _, r := range run.Requests() {
		if strings.HasSuffix(r.Path, "/group/project.git/git-upload-pack") && r.Status == 200 {
			fetches++
		}
	}
	if fetches == 0 {
		t.Errorf("no fetch among the job's requests: %v", run.Requests())
	}
	wantExpected(t, server)

	if _, err := clone(t, repo, "wrong-token"); err == nil {
		t.Error("a clone with a wrong token was served")
	}
	c.execute(c.mustRequest(), "x", 0)
	if _, err := clone(t, repo, run.Job.Token); err == nil {
		t.Error("a clone with the token of a job that is over was served")
	}
	if len(server.Unexpected()) == 0 {
		t.Error("clones with wrong tokens were expected")
	}
}

func TestCloneSubmodule(t *testing.T) {
	server, _ := start(t)
	sub := addRepository(t, server, "group/sub", Commit{Files: files("lib", "library\n")})
	repo := addRepository(t, server, "group/project", Commit{
		Files:      files("main", "program\n"),
		Submodules: []Submodule{{Path: "vendor/sub", URL: "../sub.git", SHA: sub.SHA("main")}},
	})
	run := server.Submit(NewJob("job", "true"))
	work, err := clone(t, repo, run.Job.Token, "--recurse-submodules", "--shallow-submodules", "--depth=1")
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, work, "main", "program\n")
	wantFile(t, work, "vendor/sub/lib", "library\n")
	wantExpected(t, server)
}

func TestRepositoryIsReproducible(t *testing.T) {
	var ids []string
	for range 2 {
		server, _ := start(t)
		repo := addRepository(t, server, "group/project", Commit{Files: files("b", "2", "a", "1")}, Commit{Files: files("a", "3")})
		ids = append(ids, repo.SHA("main"))
	}
	if len(ids[0]) != 40 || ids[0] != ids[1] {
		t.Errorf("commit ids %q", ids)
	}
}

func TestAddRepositoryRefusals(t *testing.T) {
	tests := []struct {
		name, path string
		commit     Commit
		want       string
	}{
		{"no group", "project", Commit{}, "want a path such as group/project"},
		{"outside", "../group/project", Commit{}, "want a path such as group/project"},
		{"twice", "group/taken", Commit{}, "file exists"},
		{"file outside", "group/a", Commit{Files: files("../x", "")}, `committing "../x": not a plain relative path`},
		{"newline in a name", "group/b", Commit{Files: files("x\ny", "")}, "not a plain relative path"},
		{"bad submodule", "group/c", Commit{Submodules: []Submodule{{Path: "s", URL: "../s.git", SHA: "nonsense"}}}, "running git fast-import"},
	}
	server, _ := start(t)
	addRepository(t, server, "group/taken")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := server.AddRepository(t.Context(), test.path, test.commit)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestCheckout(t *testing.T) {
	server, c := start(t)
	repo := addRepository(t, server, "top/sub/proj", Commit{Files: files("a", "1"), Tag: "v1"})
	job := NewJob("job", "true")
	repo.Checkout(&job, "v1")
	run := server.Submit(job)
	got := c.mustRequest()
	want := run.Job.Git
	want.RepoURL = strings.Replace(server.URL(), "://", "://gitlab-ci-token:"+run.Job.Token+"@", 1) + "/top/sub/proj.git"
	want.SHA, want.RefType, want.Refspecs, want.Depth = repo.SHA("v1"), "tag", []string{"+refs/tags/v1:refs/tags/v1"}, 20
	if diff := cmp.Diff(want, got.Git); diff != "" {
		t.Errorf("git_info (-want +got):\n%s", diff)
	}
	vars := make(map[string]string)
	for _, v := range got.Variables {
		vars[v.Key] = v.Value
	}
	for key, value := range map[string]string{
		"CI_COMMIT_TAG": "v1", "CI_COMMIT_BRANCH": "", "GIT_STRATEGY": "", "CI_PROJECT_PATH": "top/sub/proj",
		"CI_PROJECT_NAMESPACE": "top/sub", "CI_PROJECT_NAME": "proj", "CI_COMMIT_SHA": repo.SHA("main"),
	} {
		if vars[key] != value {
			t.Errorf("%s is %q, want %q", key, vars[key], value)
		}
	}
}
