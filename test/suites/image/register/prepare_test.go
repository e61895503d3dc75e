package register

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podman-executor/test/harness/gitlab"
)

const (
	idPattern  = `^[sr]_[0-9a-zA-Z]{12}$`
	idFile     = "run/gitlab-runner/.runner_system_id"
	keptID     = "cache/.runner_system_id"
	configFile = "run/gitlab-runner/config.toml"
)

// configOf is a configuration that gitlab-runner accepts.
func configOf(url string) string {
	return "[[runners]]\n  name = \"a\"\n  url = \"" + url + "\"\n  token = \"" + gitlab.DefaultRunnerToken + "\"\n  executor = \"custom\"\n" +
		"  [runners.custom]\n    run_exec = \"/bin/true\"\n"
}

// again is what a new container of the same volumes and secrets begins with.
func (i *image) again() {
	i.t.Helper()
	if err := os.RemoveAll(i.path("run/gitlab-runner")); err != nil {
		i.t.Fatal(err)
	}
}

// TestSystemID follows the id from the registration to the calls of the runner.
func TestSystemID(t *testing.T) {
	i, g := newImage(t), newGitLab(t, gitlab.Options{})
	i.write(tokenFile, gitlab.DefaultRunnerToken)
	i.write("config.toml", "")
	i.mustRun("register", "--url", g.address)
	i.write("run/secrets/config.toml", i.read("config.toml"))
	verify := func() {
		t.Helper()
		i.mustRun("prepare-config")
		if r := i.command(i.path("bin/gitlab-runner"), "verify", "--config", i.path(configFile)); r.status != 0 {
			t.Fatalf("gitlab-runner verify: %s", r.stderr)
		}
	}
	verify()
	i.again()
	if err := os.Remove(i.path(keptID)); err != nil {
		t.Fatal(err)
	}
	verify()
	// As gitlab-runner leaves the file: without comments.
	_, uncommented, _ := strings.Cut(i.read("run/secrets/config.toml"), "\n")
	i.write("run/secrets/config.toml", uncommented)
	i.again()
	verify()

	id := i.read(idFile)
	if !regexp.MustCompile(idPattern).MatchString(id) {
		t.Errorf("gitlab-runner does not take the id %q", id)
	}
	if diff := cmp.Diff([]string{id, id, id, id}, g.systemIDs()); diff != "" {
		t.Errorf("ids that GitLab saw (-want +got):\n%s", diff)
	}
}

func TestPrepareConfigSystemID(t *testing.T) {
	const comment = `# runner_system_id = "r_fromTheFile1"` + "\n"
	tests := []struct {
		name, config, kept string
		want               string // "" is a new one
		warning            string
	}{
		{"comment", comment, "", "r_fromTheFile1", ""},
		{"comment before volume", comment, "r_fromVolume01\n", "r_fromTheFile1", ""},
		{"volume", "", "r_fromVolume01\n", "r_fromVolume01", ""},
		{"volume, as gitlab-runner writes it", "", "s_0123456789ab", "s_0123456789ab", ""},
		{"neither", "", "", "", ""},
		{"comment is not an id", `# runner_system_id = "r_$(reboot)xy"` + "\n", "r_fromVolume01", "r_fromVolume01", ""},
		{"volume has a path", "", "../../etc/passwd\n", "", "/cache/.runner_system_id has no system id"},
		{"volume has more than an id", "", "r_fromVolume01\nx\n", "", "/cache/.runner_system_id has no system id"},
		{"volume has zeros", "", "r_fromVolume01" + strings.Repeat("\x00", 100), "", "/cache/.runner_system_id has no system id"},
		{"volume has a lot", "", strings.Repeat("r_fromVolume01\n", 100000), "", "/cache/.runner_system_id has no system id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newImage(t)
			i.write("run/secrets/config.toml", tt.config+configOf("http://gitlab.example.com"))
			if tt.kept != "" {
				i.write(keptID, tt.kept)
			}
			r := i.mustRun("prepare-config")
			id := i.read(idFile)
			if tt.want != "" && id != tt.want || tt.want == "" && (!regexp.MustCompile(idPattern).MatchString(id) || strings.Contains(tt.kept, id)) {
				t.Errorf("the id is %q, want %q", id, tt.want)
			}
			if kept := i.read(keptID); kept != id+"\n" {
				t.Errorf("the volume keeps %q, not %q", kept, id)
			}
			if strings.Contains(r.stderr, "warning") != (tt.warning != "") || !strings.Contains(r.stderr, tt.warning) {
				t.Errorf("stderr is %q, want a warning with %q", r.stderr, tt.warning)
			}
			wantMode(t, i.path("run/gitlab-runner"), 0o700)
			wantMode(t, i.path(idFile), 0o600)
			wantMode(t, i.path(configFile), 0o600)
		})
	}
}

// TestPrepareConfigStrangeVolume has what a runner that was taken over could
// leave on its volume: nothing outside is read or written, nothing hangs.
func TestPrepareConfigStrangeVolume(t *testing.T) {
	const outside = "r_notForMe0001"
	tests := []struct {
		name    string
		lay     func(i *image) error
		stderr  string
		isIDNow bool
	}{
		{"link", func(i *image) error { return os.Symlink(i.path("outside"), i.path(keptID)) }, "", true},
		{"pipe", func(i *image) error { return syscall.Mkfifo(i.path(keptID), 0o600) }, "", true},
		{"directory", func(i *image) error { return os.Mkdir(i.path(keptID), 0o700) }, "warning: files in /cache are not kept", false},
		{"no volume", func(i *image) error { return os.Remove(i.path("cache")) }, "warning: files in /cache are not kept", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newImage(t)
			i.write("outside", outside)
			i.write("run/secrets/config.toml", configOf("http://gitlab.example.com"))
			if err := tt.lay(i); err != nil {
				t.Fatal(err)
			}
			r := i.mustRun("prepare-config")
			if !strings.Contains(r.stderr, tt.stderr) {
				t.Errorf("stderr is without %q:\n%s", tt.stderr, r.stderr)
			}
			if id := i.read(idFile); id == outside {
				t.Errorf("the id is that of a file elsewhere")
			} else if tt.isIDNow && i.read(keptID) != id+"\n" {
				t.Errorf("the volume keeps %q, not %q", i.read(keptID), id)
			}
			if got := i.read("outside"); got != outside {
				t.Errorf("the file elsewhere has %q now", got)
			}
			if rest, _ := filepath.Glob(i.path(keptID + ".*")); len(rest) != 0 {
				t.Errorf("left over: %q", rest)
			}
		})
	}
}

func TestPrepareConfigRefuses(t *testing.T) {
	tests := []struct {
		name, file, config string
		words              []string
	}{
		{"nothing", "", "", []string{"error: there is no config.toml", "hint:   podman container runlabel register IMAGE", "hint:   podman secret create config.toml ./config.toml"}},
		{"empty", "run/secrets/config.toml", "", []string{"error: /run/secrets/config.toml has no [[runners]] section", "hint: podman container runlabel register"}},
		{
			"broken", "run/secrets/config.toml", "[[runners]]\ntoken = glrt-without-quotes\n",
			[]string{"warning: /run/secrets/config.toml: decoding config", "line 2", "error: gitlab-runner cannot read", "podman container runlabel dumpconfig"},
		},
		{"mounted and empty", "etc/gitlab-runner/config.toml", "", []string{"error: /etc/gitlab-runner/config.toml has no [[runners]] section"}},
		{"mounted directory", "etc/gitlab-runner/config.toml/x", "", []string{"error: /etc/gitlab-runner/config.toml is not a file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newImage(t)
			if tt.file != "" {
				i.write(tt.file, tt.config)
			}
			r := i.run("prepare-config")
			wantFailure(t, r, tt.words...)
			if strings.Contains(r.stderr, "glrt-without-quotes") {
				t.Errorf("the message has the token:\n%s", r.stderr)
			}
			if _, err := os.Lstat(i.path(configFile)); err == nil {
				t.Error("gitlab-runner has a configuration all the same")
			}
		})
	}
}

// TestPrepareConfigWarns: faults with which gitlab-runner starts nevertheless.
func TestPrepareConfigWarns(t *testing.T) {
	i := newImage(t)
	i.write("run/secrets/config.toml", "concurent = 4\n"+configOf("http://gitlab.example.com"))
	if r := i.mustRun("prepare-config"); !strings.Contains(r.stderr, "warning: /run/secrets/config.toml: 1 unknown key(s)") || !strings.Contains(r.stderr, "concurent") {
		t.Errorf("the unknown key is not named:\n%s", r.stderr)
	}
}

// A config.toml of pipglr's is one that gitlab-runner starts with, only to fail each
// job.
func TestPrepareConfigWarnsOfOtherExecutors(t *testing.T) {
	const section = "[[runners]]\n  url = \"https://gitlab.example.com\"\n  token = \"glrt-x\"\n  executor = %q\n"
	i := newImage(t)
	i.write("run/secrets/config.toml", fmt.Sprintf(section+section, "custom", "docker"))
	r := i.mustRun("prepare-config")
	if !strings.Contains(r.stderr, "warning: jobs of runners with the executor docker will fail") {
		t.Errorf("nobody is warned:\n%s", r.stderr)
	}
	i.write("run/secrets/config.toml", fmt.Sprintf(section, "custom"))
	if r := i.mustRun("prepare-config"); strings.Contains(r.stderr, "executor") {
		t.Errorf("the custom executor is warned of:\n%s", r.stderr)
	}
}

func TestPrepareConfigMounted(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, user string
		mode       os.FileMode
		linked     bool
	}{
		{"the runner's own", me.Username, 0o600, true},
	}
	if os.Geteuid() == 0 { // only root has files that another user cannot read, and hands some over
		tests = append(tests, tests[0], tests[0])
		tests[1].name, tests[1].user, tests[1].mode = "for all to read", "nobody", 0o644
		tests[2].name, tests[2].user, tests[2].linked = "root's alone", "nobody", false
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newImage(t)
			i.runAs(tt.user)
			const mounted = "etc/gitlab-runner/config.toml"
			i.write("run/secrets/config.toml", configOf("http://secret.example.com"))
			i.write(mounted, configOf("http://mounted.example.com"))
			if err := os.Chmod(i.path(mounted), tt.mode); err != nil {
				t.Fatal(err)
			}
			i.mustRun("prepare-config")
			wantOwner(t, i.path("run/gitlab-runner"), tt.user)
			wantOwner(t, i.path(idFile), tt.user)
			wantOwner(t, i.path(keptID), tt.user)
			if _, err := os.Readlink(i.path(configFile)); (err == nil) != tt.linked {
				t.Errorf("reading the link: %v; linked should be %v", err, tt.linked)
			}
			// A later change: seen through the link, or copied.
			i.write(mounted, configOf("http://changed.example.com"))
			if !tt.linked {
				wantOwner(t, i.path(configFile), tt.user)
				i.mustRun("prepare-config")
			}
			if got := i.read(configFile); got != configOf("http://changed.example.com") {
				t.Errorf("gitlab-runner has another file:\n%s", got)
			}
		})
	}
}

// runAs makes another user gitlab-runner's, whose the cache is then.
func (i *image) runAs(name string) {
	i.t.Helper()
	i.env = append(i.env, "RUNNER_USER="+name)
	u, err := user.Lookup(name)
	if err != nil {
		i.t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err := errors.Join(err, os.Chmod(filepath.Dir(i.root), 0o755), os.Chown(i.path("cache"), uid, -1)); err != nil {
		i.t.Fatal(err)
	}
}

// The cache is the runner's, who can put a link in the place of any file there, at any
// moment: nothing is written to it, nor read from it, with more rights than the runner's.
func TestCacheIsTouchedAsTheRunner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has more rights than the runner's user")
	}
	i := newImage(t)
	i.runAs("nobody")
	i.mkdir("calls")
	if err := os.Chmod(i.path("calls"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"mktemp", "mv", "cat", "head", "chown", "rm"} {
		i.write("bin/"+program, fmt.Sprintf("#!/bin/bash\n[[ \"$*\" != *%s* ]] || : >%s/%s-$(id -un)\nPATH=/usr/bin:/bin exec %[3]s \"$@\"\n",
			"/cache/", i.path("calls"), program))
		if err := os.Chmod(i.path("bin/"+program), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	i.write("run/secrets/config.toml", configOf("http://gitlab.example.com"))
	i.mustRun("prepare-config")
	i.mustRun("prepare-config")
	wantOwner(t, i.path(keptID), "nobody")
	calls, err := filepath.Glob(i.path("calls/*"))
	if err != nil || len(calls) < 3 {
		t.Errorf("calls %q, %v", calls, err)
	}
	for _, call := range calls {
		if !strings.HasSuffix(call, "-nobody") {
			t.Errorf("not as the runner: %s", filepath.Base(call))
		}
	}
}

func wantOwner(t *testing.T, path, want string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := user.LookupId(strconv.FormatUint(uint64(info.Sys().(*syscall.Stat_t).Uid), 10))
	if err != nil {
		t.Fatal(err)
	}
	if owner.Username != want {
		t.Errorf("%s belongs to %s, want %s", path, owner.Username, want)
	}
}
