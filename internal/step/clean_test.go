package step

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// workspace is what a container's builds hold between two jobs of a project, and what the
// steps of the next one do with it.
type workspace struct {
	t *testing.T
	c container
	// project is a checkout of origin, which has a submodule.
	project, origin string
	// elsewhere is a directory that no step has anything to do with.
	elsewhere string
}

// getSources is what gitlab-runner's script of that name does (gitlab-runner
// shells/abstract.go:1114,1258,1389,1419,1457).
const getSources = `#!/bin/sh
set -e
export PATH="$PATH:$REAL_PATH" GIT_CONFIG_NOSYSTEM=1 GIT_ALLOW_PROTOCOL=file GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
for dir in "$PROJECT.tmp/git-template" "$PROJECT/.git"; do rm -f "$dir/config"; rm -rf "$dir/hooks"; done
if [ -d "$PROJECT/.git/modules" ]; then find "$PROJECT/.git/modules" -name config -type f -exec rm -f {} +; find "$PROJECT/.git/modules" -name hooks -type d -depth -exec rm -rf -- {} +; fi
mkdir -p "$PROJECT.tmp/git-template"
git config -f "$PROJECT.tmp/git-template/config" init.defaultBranch none
git init "$PROJECT" --template "$PROJECT.tmp/git-template"
cd "$PROJECT"
git remote add origin "$ORIGIN" || git remote set-url origin "$ORIGIN"
git fetch origin +refs/heads/main:refs/remotes/origin/main
git checkout -f -q refs/remotes/origin/main
git clean -ffdx
git submodule init
git submodule sync
git submodule foreach --recursive git clean -ffdx
git submodule foreach --recursive git reset --hard
git submodule update --init --recursive || { git submodule sync; git submodule update --init --recursive; }
cat README lib/sub/file
`

// newBase returns a directory with an origin and a project that was built once.
func newBase(t *testing.T) string {
	t.Helper()
	w := workspace{t: t, c: newContainer(t, "sh", false)}
	dir := t.TempDir()
	w.origin = filepath.Join(dir, "main")
	w.sh(`git init -q -b main sub && cd sub && echo sub >file && git add . && git commit -qm sub && cd .. &&
		git init -q -b main main && cd main && echo main >README && git submodule add -q "$ORIGIN/../sub" lib/sub && git add . && git commit -qm main`, dir)
	w.project = w.c.sources().Project
	if got := w.next(CleanModules); got.code != 0 || !strings.HasSuffix(got.stdout, "main\nsub\n") {
		t.Fatalf("the first job: %+v", got)
	}
	w.sh("cp -a $BUILDS builds", dir)
	return dir
}

func newWorkspace(t *testing.T, base, shell string) workspace {
	t.Helper()
	c := newContainer(t, shell, false)
	if shell == "busybox" {
		for _, p := range []string{"chmod", "find", "head", "mktemp", "mv", "rm", "wc"} {
			link := filepath.Join(c.path, p)
			if err := os.Remove(link); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(c.shell[0], link); err != nil {
				t.Fatal(err)
			}
		}
	}
	w := workspace{t: t, c: c, project: c.sources().Project, origin: filepath.Join(base, "main"), elsewhere: t.TempDir()}
	w.sh("cp -a builds/. $BUILDS/", base)
	return w
}

// sh runs a script of a former job in dir.
func (w *workspace) sh(script, dir string) {
	w.t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+w.c.home, "ORIGIN="+w.origin, "PROJECT="+w.project, "BUILDS="+w.c.builds, "ELSEWHERE="+w.elsewhere,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_ALLOW_PROTOCOL=file", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// next runs get_sources of the next job, behind what the driver takes away.
func (w *workspace) next(clean Clean) result {
	w.t.Helper()
	script := "#!/bin/sh\nexport PROJECT='" + w.project + "' ORIGIN='" + w.origin + "' REAL_PATH='" + os.Getenv("PATH") + "'\n" + strings.TrimPrefix(getSources, "#!/bin/sh\n")
	return w.c.run(w.t, Runner, EntryPoint{Shell: true}, w.c.inputBehind(w.t, script, clean))
}

// evil makes a program that leaves a trace, and a repository whose configuration names it.
const evil = `evil=$BUILDS/evil; printf '#!/bin/sh\n: >%s/pwned\nexit 1\n' "$ELSEWHERE" >$evil; chmod 755 $evil
git init -q --bare $BUILDS/evil.git
c="git config -f $BUILDS/evil.git/config"
$c core.bare false; $c core.fsmonitor $evil; $c core.hooksPath $BUILDS/hooks
$c filter.evil.smudge $evil; $c filter.evil.clean $evil; mkdir -p $BUILDS/evil.git/info; echo '* filter=evil' >$BUILDS/evil.git/info/attributes
mkdir $BUILDS/hooks; for h in post-checkout reference-transaction post-index-change; do ln -s $evil $BUILDS/hooks/$h; done
`

// plants are what a former job leaves; each does harm when nothing is taken away.
var plants = map[string]string{
	"git file":           evil + `rm -rf .git; echo "gitdir: $BUILDS/evil.git" >.git`,
	"git link":           evil + `rm -rf .git; ln -s $BUILDS/evil.git .git`,
	"commondir":          evil + `echo $BUILDS/evil.git >.git/commondir`,
	"template commondir": evil + `rm -rf .git; mkdir -p $PROJECT.tmp/git-template; echo $BUILDS/evil.git >$PROJECT.tmp/git-template/commondir`,
	"template link":      evil + `rm -rf .git $PROJECT.tmp; mkdir $BUILDS/t; ln -s $BUILDS/t $PROJECT.tmp; mkdir $BUILDS/t/git-template; echo $BUILDS/evil.git >$BUILDS/t/git-template/commondir`,
	// git looks above the project for a repository.
	"HEAD that is none": evil + `mv $BUILDS/evil.git $BUILDS/.git; echo garbage >.git/HEAD`,
	"HEAD that is long": evil + `mv $BUILDS/evil.git $BUILDS/token/.git; echo "ref: nowhere$(printf %0200d 0)" >.git/HEAD`,
	// git writes branches' names there, and whatever else the remote calls them.
	"FETCH_HEAD link":       `ln -sf $ELSEWHERE/pwned .git/FETCH_HEAD`,
	"ORIG_HEAD link":        `rm -f .git/HEAD; echo 'ref: refs/heads/x' >.git/HEAD; mkdir -p .git/refs/heads; ln -s $ELSEWHERE/pwned .git/refs/remotes/origin/main.lock; ln -sf $ELSEWHERE/pwned .git/FETCH_HEAD`,
	"objects elsewhere":     `mv .git/objects $ELSEWHERE/pwned; ln -s $ELSEWHERE/pwned .git/objects`,
	"project link":          `cd ..; mv project $ELSEWHERE/pwned; ln -s $ELSEWHERE/pwned project`,
	"slot link":             `cd $BUILDS/token; mv 0 $ELSEWHERE/pwned; ln -s $ELSEWHERE/pwned 0`,
	"token link":            `cd $BUILDS; rm -rf token; mkdir $ELSEWHERE/pwned; ln -s $ELSEWHERE/pwned token`,
	"submodule's git file":  evil + `rm -rf lib/sub/.git; echo "gitdir: $BUILDS/evil.git" >lib/sub/.git; cp -r .git/modules/lib/sub/. $BUILDS/evil.git.d 2>/dev/null || :; cp -r .git/modules/lib/sub/objects .git/modules/lib/sub/refs .git/modules/lib/sub/HEAD .git/modules/lib/sub/index $BUILDS/evil.git/`,
	"submodule's git dir":   evil + `rm -rf lib/sub/.git; cp -r .git/modules/lib/sub/objects .git/modules/lib/sub/refs .git/modules/lib/sub/HEAD .git/modules/lib/sub/index $BUILDS/evil.git/; mv $BUILDS/evil.git lib/sub/.git`,
	"submodule's commondir": evil + `echo $BUILDS/evil.git >.git/modules/lib/sub/commondir; cp -r .git/modules/lib/sub/objects .git/modules/lib/sub/refs $BUILDS/evil.git/`,
	// A path that is absolute, and one below the submodule.
	"submodule's absolute path": evil + `cp -r .git/modules/lib/sub/objects .git/modules/lib/sub/refs .git/modules/lib/sub/HEAD .git/modules/lib/sub/index $BUILDS/evil.git/
		echo "gitdir: $BUILDS/evil.git" >lib/sub/.git; mkdir -p "lib/sub/$BUILDS"; ln -s $PROJECT/.git/modules/lib/sub "lib/sub/$BUILDS/evil.git"`,
	"submodule's path that ends early": evil + `cp -r .git/modules/lib/sub/objects .git/modules/lib/sub/refs .git/modules/lib/sub/HEAD .git/modules/lib/sub/index $BUILDS/evil.git/
		mkdir -p lib/sub/e; ln -s $BUILDS/evil.git lib/sub/d; ln -s $PROJECT/.git/modules/lib/sub lib/sub/dx; printf 'gitdir: d\0x\n' >lib/sub/.git`,
	"repository in a submodule's objects": evil + `cp -r .git/modules/lib/sub/objects .git/modules/lib/sub/refs .git/modules/lib/sub/HEAD .git/modules/lib/sub/index $BUILDS/evil.git/
		cp -r .git/modules/lib/sub $BUILDS/e; mv $BUILDS/e .git/modules/lib/sub/objects/; echo $BUILDS/evil.git >.git/modules/lib/sub/objects/e/commondir; echo 'gitdir: ../../.git/modules/lib/sub/objects/e' >lib/sub/.git`,
}

// fails are those of them that do no more than make each job fail from then on, with the
// git of today and the driver's settings for it.
var fails = map[string]bool{"git link": true, "HEAD that is none": true, "HEAD that is long": true, "submodule's path that ends early": true}

// What a former job has left in the builds runs nothing, and writes nothing elsewhere, when the
// next one gets its sources. Without the cleaning each of the plants does.
func TestClean(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git on this machine")
	}
	base := newBase(t)
	shells := []string{"dash", "bash", "busybox"}
	for i, name := range slices.Sorted(maps.Keys(plants)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorkspace(t, base, "sh")
			w.sh(plants[name], w.project)
			before := w.tree()
			if got := w.next(CleanNothing); before == w.tree() && (got.code == 0 || !fails[name]) {
				t.Errorf("the plant does no harm by itself: %+v", got)
			}
			w = newWorkspace(t, base, shells[i%len(shells)])
			w.sh(plants[name], w.project)
			before = w.tree()
			got := w.next(CleanModules)
			if before != w.tree() || got.code != 0 || !strings.HasSuffix(got.stdout, "main\nsub\n") {
				t.Errorf("%v: elsewhere is\n%s before,\n%s, %+v", w.c.shell, before, w.tree(), got)
			}
		})
	}
}

// tree tells what is elsewhere.
func (w *workspace) tree() string {
	w.t.Helper()
	out, err := exec.Command("find", w.elsewhere, "-printf", "%p %s %T@\n").Output()
	if err != nil {
		w.t.Fatal(err)
	}
	return string(out)
}

// What is data stays: the objects that were fetched, large files, the submodule's, and, where git
// goes into no submodules, a clone that a job keeps.
func TestCleanKeeps(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git on this machine")
	}
	base := newBase(t)
	for _, shell := range []string{"dash", "bash", "busybox"} {
		w := newWorkspace(t, base, shell)
		w.sh(`mkdir -p .git/lfs/objects/ab vendor; echo large >.git/lfs/objects/ab/file; git clone -q "$ORIGIN" vendor/kept; chmod 0 .git/refs/tags; touch .git/index.lock`, w.project)
		kept := []string{".git/HEAD", ".git/index", ".git/lfs/objects/ab/file", "lib/sub/.git", ".git/modules/lib/sub/HEAD"}
		objects, err := filepath.Glob(filepath.Join(w.project, ".git/objects/*/*"))
		if err != nil || len(objects) == 0 {
			t.Fatalf("no objects: %v", err)
		}
		for _, o := range objects {
			rel, _ := filepath.Rel(w.project, o)
			kept = append(kept, rel)
		}
		for _, clean := range []Clean{CleanGit, CleanModules} {
			got := w.c.run(t, Runner, EntryPoint{Shell: true}, w.c.inputBehind(t, "#!/bin/sh\necho cleaned\n", clean))
			want(t, got, result{stdout: "cleaned\n"})
			for _, name := range kept {
				if !exists(filepath.Join(w.project, name)) {
					t.Errorf("%s, %s: %s is gone", shell, clean, name)
				}
			}
			if there := exists(filepath.Join(w.project, "vendor/kept/.git")); there != (clean == CleanGit) {
				t.Errorf("%s, %s: the clone is there: %v", shell, clean, there)
			}
			for _, gone := range []string{".git/config", ".git/hooks", ".git/info", ".git/logs", ".git/index.lock"} {
				if exists(filepath.Join(w.project, gone)) {
					t.Errorf("%s, %s: %s is there", shell, clean, gone)
				}
			}
		}
		if got := w.next(CleanModules); got.code != 0 || !strings.Contains(got.stdout, "Reinitialized existing") || strings.Contains(got.stderr, "Cloning") {
			t.Errorf("%s: the next job fetches everything again: %+v", shell, got)
		}
	}
}

// What is too deep for find to remove goes aside.
func TestCleanTooDeep(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git on this machine")
	}
	base := newBase(t)
	for _, shell := range []string{"dash", "bash", "busybox"} {
		w := newWorkspace(t, base, shell)
		w.sh(`way=$(printf 'a%019d/' $(seq 150)); mkdir -p one/$way two/$way; mv one two/$way; mv two .git/objects/; : >.git/commondir`, w.project)
		if got := w.next(CleanModules); got.code != 0 || !strings.HasSuffix(got.stdout, "main\nsub\n") {
			t.Errorf("%s: %+v", shell, got)
		}
	}
}

// So does, on the host, what a job's container has given to another of its users.
func TestCleanOfAnother(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	root := t.TempDir()
	project := filepath.Join(root, "group", "project")
	script := `mkdir -p "$2/.git/x" "$2/.git/hooks" && : >"$2/.git/x/y" && chmod -R a+rX "$1" && chown -R 4242 "$1" && chown 4243 "$2/.git/x" && chmod 700 "$2/.git/x"`
	if out, err := exec.Command("sh", "-ec", script, "sh", root, project).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// The directories above are this test's own.
	for dir := root; dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode()&0o001 == 0 {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	host := func(clean Clean) (string, error) {
		words := append([]string{"--reuid=4242", "--regid=4242", "--clear-groups", "bash", "-c", onHost, "bash", "0022"}, Sources{Root: root, Project: project}.words(clean)...)
		out, err := exec.Command("setpriv", append(words, "echo", "ran")...).CombinedOutput()
		return string(out), err
	}
	if out, err := host(CleanGit); err != nil || out != "ran\n" {
		t.Errorf("%v: %s", err, out)
	}
	if exists(filepath.Join(project, ".git")) {
		t.Error("the git directory is still there")
	}
}

func TestBefore(t *testing.T) {
	s := Sources{Root: "/b", Project: "/b/p"}
	kept, modules := s, s
	kept.Kept, modules.Submodules = true, true
	for _, tt := range []struct {
		sources         Sources
		name            string
		container, host Clean
	}{
		{s, "prepare_script", CleanLinks, CleanLinks},
		{s, "get_sources", CleanGit, CleanGit},
		{kept, "get_sources", CleanLinks, CleanLinks},
		{modules, "get_sources", CleanModules, CleanModules},
		{s, "clear_worktree", CleanModules, CleanModules},
		{kept, "clear_worktree", CleanModules, CleanModules},
		{s, "archive_cache", CleanNothing, CleanOwnLinks},
		{s, Last, CleanNothing, CleanOwnLinks},
		{Sources{}, "get_sources", CleanNothing, CleanNothing},
		{Sources{}, Last, CleanNothing, CleanNothing},
	} {
		if container, host := tt.sources.Before(tt.name), tt.sources.OnHost(tt.name); container != tt.container || host != tt.host {
			t.Errorf("%s: %q, %q on the host, want %q, %q", tt.name, container, host, tt.container, tt.host)
		}
	}
}

// On the host a step writes nowhere else by links that the job's own script has left.
func TestHostLinks(t *testing.T) {
	for name, plant := range map[string]string{
		"directory": `mkdir -p "$1/g/p"; ln -s "$2" "$1/g/p.tmp"`,
		"file":      `mkdir -p "$1/g/p" "$1/g/p.tmp"; ln -s "$2/written" "$1/g/p.tmp/VARIABLE"`,
		"pipe":      `mkdir -p "$1/g/p" "$1/g/p.tmp"; mkfifo "$1/g/p.tmp/VARIABLE"`,
		"group":     `mkdir -p "$2/p" "$2/p.tmp"; ln -s "$2" "$1/g"`,
	} {
		root, elsewhere := t.TempDir(), t.TempDir()
		if out, err := exec.Command("sh", "-ec", plant, "sh", root, elsewhere).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		h := Host{Dir: root, Env: []string{"PATH=" + os.Getenv("PATH")}, Clean: CleanOwnLinks, Sources: Sources{Root: root, Project: root + "/g/p"}}
		out, err := runHost(t, t.Context(), h, `mkdir -p g/p.tmp; printf value >g/p.tmp/VARIABLE; cat g/p.tmp/VARIABLE; git config --get core.fsmonitor || true`)
		if err != nil || out != "valuefalse\n" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
		if left, err := filepath.Glob(elsewhere + "/*/VARIABLE"); exists(elsewhere+"/VARIABLE") || exists(elsewhere+"/written") || len(left) > 0 || err != nil {
			t.Errorf("%s: the step has written elsewhere: %q, %v", name, left, err)
		}
	}
}
