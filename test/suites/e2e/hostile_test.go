//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// untilReleased is a script that prints a line and waits for a file in the job's
// container, which [machine.release] makes.
var untilReleased = []string{"echo holding", "while ! [ -e /tmp/released ]; do sleep 0.1; done", "echo released"}

// container returns the name of one of a job's containers.
func (m *machine) container(run *gitlab.Run, role string) string {
	m.Helper()
	suffix := fmt.Sprintf("-%d-%s", run.Job.ID, role)
	for _, name := range strings.Fields(podman(m.T, "ps", "--all", "--format", "{{.Names}}")) {
		if strings.HasPrefix(name, "podman-executor-"+m.token+"-") && strings.HasSuffix(name, suffix) {
			return name
		}
	}
	m.Fatalf("job %q has no container %s", run.Job.Info.Name, role)
	return ""
}

// release lets such a job end. podman may miss the end of its own command when the
// job is over before it looks; a job that goes on fails the test anyway.
func (m *machine) release(run *gitlab.Run) {
	m.Helper()
	_ = podmanCommand("exec", m.container(run, "user"), "touch", "/tmp/released").Run()
}

// Two GitLabs whose jobs one user runs, with the same ids of job and project. The
// second one's job claims the first one's runner and slot, by its variables or by
// the place that it chooses: it neither removes that one's containers, nor sees its
// builds.
func TestAnotherGitLabsJob(t *testing.T) {
	t.Parallel()
	victims, attackers := start(t, defaults()), startConfigured(t, 1, defaults(), customBuildDir)
	for _, place := range []string{"$CI_BUILDS_DIR/mine", "$CI_BUILDS_DIR/" + victims.token + "/0/group/mine"} {
		victim := victims.server.Submit(victims.cloneOnce("victim", append([]string{"echo top secret >secret"}, untilReleased...)...))
		victims.waitLog(victim, "holding")
		j := attackers.cloneOnce("attacker", "find /builds -name secret -exec cat {} +", "echo ran")
		j.SetVariable("GIT_CLONE_PATH", place)
		j.SetVariable("CI_RUNNER_SHORT_TOKEN", victims.token)
		j.SetVariable("CI_CONCURRENT_PROJECT_ID", "0")
		j.Edit = func(j *gitlab.Job) { j.ID = victim.Job.ID }
		attacker := attackers.server.Submit(j)
		attackers.wait(attacker)
		if victim.Job.Info.ProjectID != attacker.Job.Info.ProjectID {
			t.Fatal("the jobs are of two projects: this test shows nothing")
		}
		succeeded(t, attacker)
		lacks(t, attacker, "top secret\n")
		victims.release(victim)
		victims.wait(victim)
		succeeded(t, victim)
		victims.nothingLeft()
	}
}

// A job that chooses its place puts a symbolic link where the next one's mount
// would have a parent: a driver that mounts by the name alone shows it the host's
// directory.
func TestLinkInTheBuilds(t *testing.T) {
	t.Parallel()
	policy, data := dataDir(t)
	host := filepath.Join(t.TempDir(), "host")
	if err := os.MkdirAll(filepath.Join(host, "7"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(host, "7", "file"), "top secret\n")
	m := startConfigured(t, 1, policy, customBuildDir)
	j := m.cloneOnce("plant", "ln -s "+host+" $CI_BUILDS_DIR/evil", "ln -s "+host+" ../other", "readlink $CI_BUILDS_DIR/evil")
	j.SetVariable("GIT_CLONE_PATH", "$CI_BUILDS_DIR/mine")
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "\n"+host+"\n")
	for _, place := range []string{"evil/7/p", "evil/7/file/p", "other/7/p"} {
		j := m.cloneOnce("reap "+place, "find "+data+" "+host+" -name file -exec cat {} + || true", "echo written >$CI_BUILDS_DIR/evil/7/new || true")
		j.SetVariable("GIT_CLONE_PATH", "$CI_BUILDS_DIR/"+place)
		run := m.run(j)
		lacks(t, run, "top secret\n")
	}
	if entries, err := os.ReadDir(filepath.Join(host, "7")); err != nil || len(entries) != 1 {
		t.Errorf("jobs have written to the host's directory: %v (%v)", entries, err)
	}
}

// What one job leaves in the project's directory runs nothing in the runner
// container of the next, which has another author's token: hooks, and what git's
// configuration can name.
func TestGitLeftByAnotherJob(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	const plant = `evil=/builds/evil; printf '#!/bin/sh\necho PWNED as $(id -un) >>/builds/pwned\nexit 0\n' >$evil; chmod 755 $evil
for hook in post-checkout post-merge pre-auto-gc reference-transaction post-index-change fsmonitor-watchman pre-push; do
	for dir in .git .git/modules/modules/sub ../$(basename "$PWD").tmp/git-template; do mkdir -p $dir/hooks; ln -sf $evil $dir/hooks/$hook; done
done
for config in .git/config .git/modules/modules/sub/config; do
	printf '[core]\n\tfsmonitor = %s\n\thooksPath = /builds\n\tsshCommand = %s\n[credential]\n\thelper = %s\n[filter "x"]\n\tsmudge = %s\n\tclean = %s\n[alias]\n\tfetch = !%s\n[gpg]\n\tprogram = %s\n[diff]\n\texternal = %s\n' \
		$evil $evil $evil $evil $evil $evil $evil $evil >>$config
done
mkdir -p .git/info; echo '* filter=x' >>.git/info/attributes
ln -sf $evil /builds/post-checkout; echo planted`
	succeeded(t, m.run(in(gitImage, m.cloneOnce("first", "cat README"))))
	run := m.run(in(gitImage, m.cloneOnce("plant", plant)))
	succeeded(t, run)
	logs(t, run, "planted\n")
	run = m.run(in(gitImage, m.cloneOnce("next", "cat README", "test ! -e /builds/pwned || cat /builds/pwned", "echo looked")))
	succeeded(t, run)
	logs(t, run, "second\n", "looked\n")
	lacks(t, run, "PWNED")
}

// evilRepository makes a program that tells who has run it, and a repository whose configuration names
// it in each way that gets by with a name of one's own. $root is where every job of the project and
// slot can write.
const evilRepository = `root=$(dirname "$(dirname "$PWD")"); evil=$root/evil; printf '#!/bin/sh\necho PWNED as $(id -un) >>%s/pwned\nexit 1\n' "$root" >$evil; chmod 755 $evil
git init -q --bare $root/evil.git; c="git config -f $root/evil.git/config"
$c core.bare false; $c core.fsmonitor $evil; $c core.hooksPath $root/hooks; $c core.sshCommand $evil; $c include.path "$PWD.tmp/.gitlab-runner.ext.conf"
$c filter.evil.smudge $evil; $c filter.evil.clean $evil; mkdir -p $root/evil.git/info; echo '* filter=evil' >$root/evil.git/info/attributes
mkdir $root/hooks; for h in post-checkout reference-transaction post-index-change; do ln -s $evil $root/hooks/$h; done
sub() { for f in objects refs HEAD index; do rm -rf $root/evil.git/$f; cp -r .git/modules/modules/sub/$f $root/evil.git/; done; }
`

// gitPlants are what else a job leaves for git, beside what [TestGitLeftByAnotherJob] has always
// planted: each in a project of its own.
var gitPlants = []struct{ name, plant, strategy string }{
	{"git file", `rm -rf .git; echo "gitdir: $root/evil.git" >.git`, "fetch"},
	{"commondir", `echo $root/evil.git >.git/commondir`, "fetch"},
	{"commondir of the template", `rm -rf .git; mkdir -p "$PWD.tmp/git-template"; echo $root/evil.git >"$PWD.tmp/git-template/commondir"`, "clone"},
	{"link in place of the group", `cd $root; mv group elsewhere; ln -s $root/elsewhere group`, "fetch"},
	{"link in place of the project", `cd ..; mv "$CI_PROJECT_DIR" $root/elsewhere; ln -s $root/elsewhere "$CI_PROJECT_DIR"`, "fetch"},
	// Not in any report: a submodule whose directory names another repository, or is one;
	// a repository above one that git takes for none; links in place of files that git writes.
	{"git file of a submodule", `sub; echo "gitdir: $root/evil.git" >modules/sub/.git`, "fetch"},
	{"git directory of a submodule", `sub; rm modules/sub/.git; mv $root/evil.git modules/sub/.git`, "fetch"},
	{"commondir of a submodule", `sub; echo $root/evil.git >.git/modules/modules/sub/commondir`, "fetch"},
	{"HEAD that is none", `echo garbage >.git/HEAD; mv $root/evil.git $root/.git`, "fetch"},
	{"link in place of FETCH_HEAD", `ln -sf $root/pwned .git/FETCH_HEAD`, "fetch"},
}

// What a job leaves for git by other ways than hooks and configuration in the usual places runs nothing
// of it in the next job, neither in the runner container, nor on the host, and writes nothing elsewhere.
func TestPlantedForGit(t *testing.T) {
	t.Parallel()
	policies := map[string]func(string) string{"volumes": defaults()}
	if !overService() { // ssh:// has no data_dir
		policies["step_script_only"], _ = dataDir(t, "step_script_only = true", "-runner_image", "-runner_options")
	}
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := start(t, policy)
			repo := m.project()
			for i, p := range gitPlants {
				if leftOut(i, 3) {
					continue
				}
				next := func(name string, script ...string) *gitlab.Run {
					j := in(gitImage, job(name, script...))
					repo.Checkout(&j, "main")
					j.Info.ProjectID = int64(100 + i)
					j.SetVariable("GIT_STRATEGY", p.strategy)
					j.SetVariable("GIT_SUBMODULE_STRATEGY", "recursive")
					return m.run(j)
				}
				run := next("plant "+p.name, evilRepository+p.plant, "echo planted")
				succeeded(t, run)
				logs(t, run, "planted\n")
				run = next("next to "+p.name, show, `test "$(pwd -P)" = "$CI_PROJECT_DIR" || echo PWNED by a link`, `cat "$CI_PROJECT_DIR/../../pwned" || true`, "echo looked")
				succeeded(t, run)
				large := "large.txt: large\n"
				if name == "step_script_only" { // the host may have no git-lfs
					large = "large.txt: "
				}
				logs(t, run, "README: second\n", large, "modules/sub/sub.txt: from the submodule\n", "deep.txt: from the deep one\n", "looked\n")
				lacks(t, run, "PWNED as", "\nPWNED", "not-for-merge", "branch 'main' of")
			}
		})
	}
}

// otherUser does its worst as nobody, who gets none of the job's environment.
const otherUser = `cat >/tmp/worst <<'EOF'
exec 2>/dev/null
cat /run/podman-executor/script /run/podman-executor/*/script /proc/[0-9]*/environ | tr '\0' '\n' | grep -q CI_JOB_TOKEN && echo READ the script
for p in $(find / -path /proc -prune -o -path /sys -prune -o -type p -print); do echo PIPE $p; echo 0 1<>$p; done
for f in script script.ps1 started report status; do
	true >/run/podman-executor/$f && echo WROTE $f
	ln -s /etc/passwd /run/podman-executor/$f && echo LINKED $f
done
echo tried as $(id -un)
EOF
env -i PATH="$PATH" su nobody -s /bin/sh -c 'sh /tmp/worst'
`

// Another user in a container that is root's cannot read the script, with the job's token in it, nor
// tell its exit status, nor put anything in the place of what the next step writes.
func TestOtherUserInTheContainer(t *testing.T) {
	t.Parallel()
	policies := map[string]func(string) string{"stays": defaults(), "start_per_step": defaults("start_per_step = true")}
	if !overService() { // ssh:// has no data_dir
		policies["launched"], _ = launching(t)
	}
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := start(t, policy)
			j := in(debianImage, job("another user", otherUser, "exit 9"))
			j.AddAfterScript(otherUser, "echo after_script")
			run := m.run(j)
			failed(t, run, "script_failure", 9)
			logs(t, run, "after_script\n")
			lacks(t, run, "\nREAD", "\nPIPE ", "\nWROTE ", "\nLINKED ")
			if n := strings.Count(run.Log(), "\ntried as nobody"); n != 2 {
				t.Errorf("nobody has tried %d times, want 2", n)
			}

			// Behind an entry point that becomes another user the script is his, and runs; the
			// status is not.
			j = in(debianImage, job("entry point", "id -un", "echo 0 1<>$(find /run/podman-executor -name status 2>/dev/null) || echo no status", "exit 9"))
			j.Image.Entrypoint = []string{"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"}
			run = m.run(j)
			failed(t, run, "script_failure", 9)
			logs(t, run, "nobody\n", "no status\n")
			run = m.run(in(userImage, job("user of the image", "id -u", "exit 9")))
			failed(t, run, "script_failure", 9)
			logs(t, run, "1000\n")
		})
	}
}

// hostileImage has all that an image can say about itself, against the driver.
const hostileImage = `FROM ` + busyboxImage + `
LABEL io.podman-executor.managed=false io.podman-executor.keep=true io.podman-executor.role=volume io.podman-executor.job=1 \
 io.podman-executor.project=1 io.podman-executor.owner=nobody io.podman-executor.deadline=99999999999
ENV PATH=/evil:/bin LD_PRELOAD=/evil/lib.so CONTAINER_HOST=tcp://192.0.2.1:1 CONTAINERS_CONF=/evil/conf TMPDIR=/evil HOME=/evil IFS=0123456789
RUN mkdir /evil && printf '#!/bin/sh\necho PWNED by the image\n' >/evil/true && chmod 755 /evil/true
VOLUME /builds /cache /run/podman-executor /data
HEALTHCHECK --interval=1s CMD touch /builds/checked
STOPSIGNAL SIGCONT
WORKDIR /builds/../data/deep
ENTRYPOINT ["/evil/true"]
CMD ["--privileged"]
`

// An image's labels, volumes, health check and the like change nothing of the
// driver's work: the script runs with the driver's mounts, and nothing is left,
// not even of a runner that was killed.
func TestHostileImage(t *testing.T) {
	t.Parallel()
	image := build(t, hostileImage, "--format=docker")
	m := start(t, defaults())
	run := m.run(in(image, job("hostile image", "echo the script runs", "pwd", "exit 4")))
	failed(t, run, "script_failure", 4)
	logs(t, run, "the script runs\n", "/builds/")
	lacks(t, run, "PWNED", "healthcheck")

	run = m.server.Submit(in(image, job("killed", untilReleased...)))
	m.waitLog(run, "holding")
	name := m.container(run, "user")
	volumes := strings.Fields(podman(t, "inspect", "--format", `{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}`, name))
	if check := podman(t, "inspect", "--format", "{{json .Config.Healthcheck}}", name); !strings.Contains(check, `"NONE"`) && check != "null" {
		t.Errorf("podman runs the image's health check on the host: %s", check)
	}
	m.killDriver()
	m.runner.Kill()
	if err := m.runner.Restart(); err != nil {
		t.Fatal(err)
	}
	succeeded(t, m.run(job("next", "test ! -e /builds/checked")))
	for _, v := range volumes {
		if !strings.HasPrefix(v, "podman-executor-") && podmanCommand("volume", "exists", v).Run() == nil {
			t.Errorf("the image's volume %s is left", v)
		}
	}
}

// An image whose directories are links lays the driver's mounts nowhere but in its
// own container.
func TestImageOfLinks(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	for _, link := range []string{"../../../../../../../../proc", "/etc", "/dev/shm"} {
		image := build(t, fmt.Sprintf("FROM %s\nRUN rm -rf /builds /cache && mkdir -p /run && ln -s %s /builds && ln -s %s /cache && ln -s %s /run/podman-executor\n",
			busyboxImage, link, link, link))
		run := m.run(in(image, job("links to "+link, "echo ran")))
		if run.State() == gitlab.StateSuccess {
			logs(t, run, "ran\n")
		}
		succeeded(t, m.run(job("next", "echo next")))
	}
}

// A list that is too wide shows no job the runner's directories, its configuration
// and podman's socket.
func TestPrivatePlacesOfTheRunner(t *testing.T) {
	t.Parallel()
	m := start(t, defaults(`user_volume_variable = "USER_VOLUMES"`, `volume_allow_list = ["/.*"]`))
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	for _, source := range []string{m.dir, m.runner.TempDir(), filepath.Join(m.dir, "config.toml"), filepath.Join(m.dir, "policy.toml"), runtime, filepath.Dir(runtime)} {
		run := m.run(volumes(job("private "+source, "ls -R /x"), source+":/x:ro"))
		refused(t, run, "this runner keeps its own files, or those of other jobs, there")
	}
	// By a link, whose end is none of the job's business.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(m.dir, "config.toml"), link); err != nil {
		t.Fatal(err)
	}
	run := m.run(volumes(job("private by a link", "cat /x"), link+":/x:ro"))
	refused(t, run, "this runner keeps its own files, or those of other jobs, there")
	lacks(t, run, "config.toml")
	run = m.run(job("sockets", "find / -xdev -type s 2>/dev/null", "find /run /var/run /tmp -name '*podman*' ! -path '/run/podman-executor*'", "env | grep -i container_host || true", "echo looked"))
	succeeded(t, run)
	lacks(t, run, ".sock", "CONTAINER_HOST=")
	logs(t, run, "looked\n")
}

// What podman would read, had it been there, what is another user's and this user's
// group's to read, and what only podman's own environment names.
func TestPrivatePlacesOfPodman(t *testing.T) {
	t.Parallel()
	home, dir := t.TempDir(), t.TempDir()
	for _, name := range []string{"run", "blobs/storage1"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	auth := filepath.Join(dir, "auth.json")
	if err := os.WriteFile(auth, []byte(`{"auths": {}}`), 0o640); err != nil {
		t.Fatal(err)
	}
	podman(t, "unshare", "chown", "1:0", auth)
	t.Cleanup(func() { podmanRemove(t, auth) })
	m := start(t, defaults(`user_volume_variable = "USER_VOLUMES"`, `volume_allow_list = ["/.*"]`,
		storageEnvironment("HOME="+home, "XDG_RUNTIME_DIR="+filepath.Join(dir, "run"), "TMPDIR="+filepath.Join(dir, "blobs"), "REGISTRY_AUTH_FILE="+auth)))
	for _, source := range []string{
		home, filepath.Join(home, ".config"), filepath.Join(home, ".config/containers"), filepath.Join(home, ".ssh"), filepath.Join(home, ".bash_profile"),
		auth, filepath.Join(dir, "run"), filepath.Join(dir, "run/podman"), filepath.Join(dir, "blobs"), filepath.Join(dir, "blobs/storage1"),
		filepath.Join(os.Getenv("HOME"), ".config"), filepath.Join(os.Getenv("HOME"), ".none"),
	} {
		refused(t, m.run(volumes(job("private "+source, "ls -R /x"), source+":/x")), "this runner keeps its own files, or those of other jobs, there")
	}
	// One that is made by then is refused all the same.
	if err := os.Mkdir(filepath.Join(home, ".config"), 0o700); err != nil {
		t.Fatal(err)
	}
	refused(t, m.run(volumes(job("made", "ls -R /x"), filepath.Join(home, ".config")+":/x")), "this runner keeps its own files, or those of other jobs, there")
}

// A directory of a home that the list allows, and that has no dot, is data.
func TestDataInAHome(t *testing.T) {
	t.Parallel()
	home, err := os.MkdirTemp(os.Getenv("HOME"), "data-of-a-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { podmanRemove(t, home) })
	m := start(t, defaults(`user_volume_variable = "USER_VOLUMES"`, `volume_allow_list = ["/.*"]`))
	run := m.run(volumes(job("data", "echo written >/x/file"), home+":/x"))
	succeeded(t, run)
	if text, err := os.ReadFile(filepath.Join(home, "file")); err != nil || string(text) != "written\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// A directory below data_dir that somebody else has made is not the driver's.
func TestDataDirOfAnother(t *testing.T) {
	t.Parallel()
	policy, dir := dataDir(t)
	builds := filepath.Join(dir, "builds")
	if err := os.Mkdir(builds, 0o700); err != nil {
		t.Fatal(err)
	}
	podman(t, "unshare", "chown", "12:12", builds)
	m := start(t, policy)
	run := m.run(job("in another's directory", "echo ran"))
	failed(t, run, "runner_system_failure", 0)
	lacks(t, run, "$ echo ran")
	logs(t, run, builds+" belongs to user ")
}
