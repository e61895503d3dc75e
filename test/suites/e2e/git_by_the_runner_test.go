//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/harness/runner"
)

// addRepository adds a repository whose name ends in the machine's token.
func (m *machine) addRepository(name string, commits ...gitlab.Commit) *gitlab.Repository {
	m.Helper()
	repo, err := m.server.AddRepository(m.Context(), "group/"+name+"-"+m.token, commits...)
	if err != nil {
		m.Fatal(err)
	}
	return repo
}

// files are those of a commit: name, content, name, content, …
func files(pairs ...string) map[string][]byte {
	list := map[string][]byte{}
	for i := 0; i < len(pairs); i += 2 {
		list[pairs[i]] = []byte(pairs[i+1])
	}
	return list
}

// large commits a large file, large.txt.
func (m *machine) large(repo *gitlab.Repository, content string) {
	m.Helper()
	pointer, err := repo.AddLFS([]byte(content))
	if err == nil {
		_, err = repo.Commit(m.Context(), gitlab.Commit{Files: files(".gitattributes", "large.txt filter=lfs diff=lfs merge=lfs -text\n", "large.txt", string(pointer))})
	}
	if err != nil {
		m.Fatal(err)
	}
}

// project is a repository of three commits with a large file and two submodules,
// one of which has a submodule. Its branch ssh names one by SSH.
func (m *machine) project() *gitlab.Repository {
	m.Helper()
	url := func(name string) string { return "../" + name + "-" + m.token + ".git" }
	deep := m.addRepository("deep", gitlab.Commit{Files: files("deep.txt", "from the deep one\n")})
	sub := m.addRepository("sub", gitlab.Commit{Files: files("sub.txt", "an old one\n")}, gitlab.Commit{
		Files:      files("sub.txt", "from the submodule\n"),
		Submodules: []gitlab.Submodule{{Path: "deep", URL: url("deep"), SHA: deep.SHA("main")}},
	})
	m.large(sub, "large, in the submodule\n")
	other := m.addRepository("other", gitlab.Commit{Files: files("other.txt", "from the other one\n")})
	modules := []gitlab.Submodule{
		{Path: "modules/sub", URL: url("sub"), SHA: sub.SHA("main")},
		{Path: "modules/other", URL: url("other"), SHA: other.SHA("main")},
	}
	main := m.addRepository("main", gitlab.Commit{Files: files("README", "first\n")}, gitlab.Commit{Files: files("README", "second\n"), Submodules: modules})
	m.large(main, "large\n")
	if _, err := main.Commit(m.Context(), gitlab.Commit{
		Branch:     "ssh",
		Submodules: append(modules, gitlab.Submodule{Path: "by-ssh", URL: "git@127.0.0.1:" + other.Path + ".git", SHA: other.SHA("main")}),
	}); err != nil {
		m.Fatal(err)
	}
	return main
}

// show prints what is there of project's files.
const show = `for f in README large.txt modules/*/*.txt modules/sub/deep/deep.txt by-ssh/*.txt left; do if [ -s "$f" ]; then echo "$f: $(head -n 1 "$f")"; fi; done`

// sourcesCase is a job with variables about its sources; depth is what GitLab
// makes of GIT_DEPTH.
type sourcesCase struct {
	name      string
	variables map[string]string
	branch    string
	depth     int
	want      []string
	lacks     []string
}

// The jobs come one after the other: each finds what the one before has left.
var sourcesCases = []sourcesCase{
	{"clone", map[string]string{"GIT_STRATEGY": "clone"}, "main", 0, []string{"Initialized empty", "README: second\nlarge.txt: large\n", "commits: 3\n"}, []string{"left: "}},
	{"fetch", map[string]string{"GIT_STRATEGY": "fetch"}, "main", 20, []string{"depth set to 20", "Reinitialized existing", "Removing left", "README: second\n"}, []string{"left: "}},
	{"no clean", map[string]string{"GIT_CLEAN_FLAGS": "none"}, "main", 20, []string{"Reinitialized existing", "README: second\n", "left: behind\n"}, []string{"Removing left"}},
	{"none", map[string]string{"GIT_STRATEGY": "none"}, "main", 20, []string{"Skipping Git repository setup", "README: second\n", "left: behind\n"}, []string{"Reinitialized"}},
	{"no checkout", map[string]string{"GIT_STRATEGY": "fetch", "GIT_CHECKOUT": "false"}, "ssh", 20, []string{"Reinitialized existing", "Skipping Git checkout", "README: second\n"}, nil},
	{"shallow clone", map[string]string{"GIT_STRATEGY": "clone"}, "main", 1, []string{"depth set to 1...", "Initialized empty", "commits: 1\n"}, []string{"left: "}},
	{"no large files", map[string]string{"GIT_STRATEGY": "clone", "GIT_LFS_SKIP_SMUDGE": "1"}, "main", 20, []string{"large.txt: version https://git-lfs.github.com/spec/v1\n"}, nil},
	{"large files after all", nil, "main", 20, []string{"large.txt: large\n"}, nil},
	{
		"submodules",
		map[string]string{"GIT_SUBMODULE_STRATEGY": "normal"},
		"main", 20,
		[]string{"modules/other/other.txt: from the other one\nmodules/sub/large.txt: large, in the submodule\nmodules/sub/sub.txt: from the submodule\n"},
		[]string{"deep.txt: "},
	},
	{
		"submodules of submodules",
		map[string]string{"GIT_SUBMODULE_STRATEGY": "recursive", "GIT_SUBMODULE_UPDATE_FLAGS": "--jobs 2"},
		"main", 20,
		[]string{"modules/sub/deep/deep.txt: from the deep one\n"},
		nil,
	},
	{
		"some submodules",
		map[string]string{"GIT_STRATEGY": "clone", "GIT_SUBMODULE_STRATEGY": "recursive", "GIT_SUBMODULE_PATHS": ":(exclude)modules/other", "GIT_SUBMODULE_DEPTH": "1"},
		"main", 20,
		[]string{"modules/sub/deep/deep.txt: ", "commits of the submodule: 1\n"},
		[]string{"other.txt: "},
	},
	{
		"submodules by HTTP",
		map[string]string{"GIT_SUBMODULE_STRATEGY": "normal", "GIT_SUBMODULE_FORCE_HTTPS": "true", "GIT_SUBMODULE_PATHS": "by-ssh"},
		"ssh", 20,
		[]string{"by-ssh/other.txt: from the other one\n"},
		nil,
	},
	{"empty", map[string]string{"GIT_STRATEGY": "empty"}, "main", 20, []string{"files: 0\n"}, []string{"README: "}},
}

func TestSources(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	repo := m.project()
	cases := sourcesCases
	if testing.Short() {
		cases = cases[:5]
	}
	for _, c := range cases {
		j := in(gitImage, job(c.name, "echo files: $(ls -A | wc -l)", show, "echo commits: $(git rev-list --count HEAD)",
			"if [ -e modules/sub/.git ]; then echo commits of the submodule: $(git -C modules/sub rev-list --count HEAD); fi", "echo behind >left"))
		repo.Checkout(&j, c.branch)
		j.Git.Depth = c.depth
		for _, name := range slices.Sorted(maps.Keys(c.variables)) {
			j.SetVariable(name, c.variables[name])
		}
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, c.want...)
		lacks(t, run, c.lacks...)
	}
}

// customBuildDir is the usual config.toml with custom_build_dir.
func customBuildDir(c runner.Config) string {
	return runner.Usual(c) + "\n  [runners.custom_build_dir]\n    enabled = true\n"
}

// A job may choose the place of its sources, below the builds directory, where
// config.toml lets it.
func TestClonePath(t *testing.T) {
	t.Parallel()
	policies, places := map[string]func(string) string{"volumes": defaults()}, map[string]string{"volumes": "/builds"}
	if !overService() { // ssh:// has no data_dir
		withDataDir, dir := dataDir(t)
		policies["data_dir"], places["data_dir"] = withDataDir, dir+"/builds/PROJECT"
	}
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startConfigured(t, 1, policy, customBuildDir)
			builds := strings.Replace(places[name], "PROJECT", m.projectKey(), 1)
			for _, place := range []string{"src", "$CI_CONCURRENT_ID/$CI_PROJECT_PATH"} {
				for _, git := range []string{"Initialized empty", "Reinitialized existing"} {
					j := m.cloneOnce("clone path", "pwd", `echo "CI_PROJECT_DIR is $CI_PROJECT_DIR"`, "cat README", "echo built >out")
					j.SetVariable("GIT_CLONE_PATH", "$CI_BUILDS_DIR/"+place)
					j.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Type: "archive", Format: "zip"}}
					run := m.run(j)
					succeeded(t, run)
					want := builds + "/" + strings.NewReplacer("$CI_CONCURRENT_ID", "0", "$CI_PROJECT_PATH", "group/main-"+m.token).Replace(place) + "\n"
					logs(t, run, git, "\n"+want, "CI_PROJECT_DIR is "+want, "second")
					if len(run.Artifacts()) != 1 {
						t.Error("the artifact has not arrived")
					}
				}
			}
			outside := m.cloneOnce("outside", "echo ran")
			outside.SetVariable("GIT_CLONE_PATH", "/tmp/elsewhere")
			run := m.run(outside)
			logs(t, run, "the GIT_CLONE_PATH=\"/tmp/elsewhere\" has to be within")
			lacks(t, run, "$ echo ran")
		})
	}
}
