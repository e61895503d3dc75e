// Package drivertest runs the txtar scripts of the four programs. A script calls
// its program as gitlab-runner does: with the runner's environment, in a process
// group of its own, from the directory of the attempt. The program in turn calls
// a podman that is a fake: it writes down each call and answers from files.
//
// The program is the test binary under another name, so the scripts test what
// `go test` has built, race detector included.
//
// A script has these files, made for it where it does not bring its own:
//
//	policy.toml                            the policy, found by PODMAN_EXECUTOR_POLICY
//	tmp/custom-executor1/                  TMPDIR, the directory of the attempt
//	tmp/custom-executor1/response.json     the job: number 42 of project 7, image debian:12
//	home/                                  HOME
//	home/fake-podman/                      the fake's answers and its log, see podman/fake.go
//	home/.config/containers/storage.conf   podman's storage needs no ranges of ids
//	run/                                   XDG_RUNTIME_DIR
//
// After each script the environments of all children of its programs are checked: see
// children.go.
//
// ${WORK}, ${PODMAN}, ${OWNER} (a runner that lives), ${DEAD} (one that does not),
// ${AFAR} (one of another host) and ${INSIDE} (one in another container) are
// replaced in every file of a script. Its commands are in commands.go; those that
// print give volatile parts fixed names, so that `cmp stdout FILE` and
// `go test -update` work.
package drivertest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
)

var update = flag.Bool("update", false, "rewrite the goldens of the scripts")

// attempt is the runner's directory for the attempt at the job, in $WORK.
const attempt = "tmp/custom-executor1"

const defaultPolicy = `[general]
run_mechanism = "podman"

[general.podman]
application_path = "${PODMAN}"
runner_image = "registry.example.com/ops/runner:1"
`

const defaultResponse = `{"id": 42, "job_info": {"project_id": 7}, "runner_info": {"timeout": 600}, "image": {"name": "debian:12"}}
`

// storageConf lets the user who runs the tests have no ranges in /etc/subuid.
const storageConf = "home/.config/containers/storage.conf"

const defaultStorage = `[storage]
driver = "overlay"

[storage.options]
ignore_chown_errors = "true"
`

// Main is the TestMain of a program's package.
func Main(m *testing.M, program driver.Program) {
	testscript.Main(withFake{m, program.Name}, map[string]func(){
		program.Name: func() { os.Exit(driver.Main(program)) },
	})
}

// withFake builds the fake beside the program.
type withFake struct {
	m       *testing.M
	program string
}

func (w withFake) Run() int {
	program, err := exec.LookPath(w.program)
	if err == nil {
		err = buildFake(filepath.Join(filepath.Dir(program), "podman"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "building the fake podman:", err)
		return 1
	}
	return w.m.Run()
}

// buildFake makes a program that podman.Find takes, whatever the umask.
func buildFake(name string) error {
	build := exec.Command("go", "build", "-o", name, "podman-executor/internal/driver/drivertest/podman")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", build.Args, err, text)
	}
	return os.Chmod(name, 0o755)
}

// fakePath returns the absolute path of the fake: it is first on the PATH.
func fakePath() (string, error) { return exec.LookPath("podman") }

// Scripts runs the scripts in testdata.
func Scripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Setup:               setup,
		Cmds:                commands,
		Condition:           condition,
		UpdateScripts:       *update,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
	})
}

// condition knows [system-policy]: the machine has a policy of its own, which
// comes before the user's; and [root], who can give files to other users.
func condition(name string) (bool, error) {
	switch name {
	case "system-policy":
		_, err := os.Stat("/etc/podman-executor/policy.toml")
		return err == nil, nil
	case "root":
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// setup makes the files of the package comment.
func setup(env *testscript.Env) error {
	w, err := newWorld(env.WorkDir)
	if err != nil {
		return err
	}
	env.Values[worldKey{}] = w
	env.Defer(func() {
		if err := w.checkChildren(); err != nil {
			env.T().Fatal("the script's children:\n" + err.Error())
		}
	})
	for _, dir := range []string{"home/fake-podman", childrenDir, "home/.config/containers", "run", attempt} {
		if err := os.MkdirAll(filepath.Join(w.dir, dir), 0o700); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"policy.toml": defaultPolicy, attempt + "/response.json": defaultResponse, storageConf: defaultStorage,
	} {
		name = filepath.Join(w.dir, name)
		if _, err := os.Lstat(name); err == nil {
			continue
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return w.expandFiles()
}

// world is one script's.
type world struct {
	dir, fake string
	// owner is the test process: it calls the programs, so it is the runner.
	owner job.Process
	// vars are the variables that the script adds to the runner's environment.
	vars []string
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func newWorld(dir string) (*world, error) {
	fake, err := fakePath()
	if err != nil {
		return nil, err
	}
	owner, err := job.ProcessOf(os.Getpid())
	return &world{dir: dir, fake: fake, owner: owner}, err
}

// expandFiles replaces the names of the package comment in every file.
func (w *world) expandFiles() error {
	dead, afar, inside := w.owner, w.owner, w.owner
	dead.Start++
	afar.Host = "elsewhere"
	inside.Namespace = "1"
	names := strings.NewReplacer(
		"${WORK}", w.dir, "${PODMAN}", w.fake,
		"${OWNER}", w.owner.String(), "${DEAD}", dead.String(), "${AFAR}", afar.String(), "${INSIDE}", inside.String(),
	)
	return filepath.WalkDir(w.dir, func(name string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(name, []byte(w.recorded(name, names.Replace(string(text)))), 0o600)
	})
}

// environ is the environment of the gitlab-runner process, with what the runner
// adds for each call, and what the script adds.
func (w *world) environ() []string {
	tmp := filepath.Join(w.dir, attempt)
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + filepath.Join(w.dir, "home"),
		"USER=gitlab-runner",
		"XDG_RUNTIME_DIR=" + filepath.Join(w.dir, "run"),
		"PODMAN_EXECUTOR_POLICY=" + filepath.Join(w.dir, "policy.toml"),
		"TMPDIR=" + tmp,
		"JOB_RESPONSE_FILE=" + filepath.Join(tmp, "response.json"),
		"BUILD_EXIT_CODE_FILE=" + filepath.Join(tmp, "build_exit_code"),
		"BUILD_FAILURE_EXIT_CODE=1",
		"SYSTEM_FAILURE_EXIT_CODE=2",
		"CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR=/builds/glrt-abc_12/0/grp/proj.tmp",
		// A program with the race detector sleeps a second before it exits.
		"GORACE=atexit_sleep_ms=0",
	}
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		env = append(env, "GOCOVERDIR="+dir)
	}
	return append(env, w.vars...)
}
