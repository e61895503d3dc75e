package leftovers

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"podman-executor/internal/job"
)

// roleVariable makes the test binary a child that ends when its standard input
// does, or a podman.
const roleVariable = "PODMAN_EXECUTOR_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "podman":
		// syscall.Exit: with the race detector, os.Exit takes a second.
		syscall.Exit(fakePodman(os.Getenv("FAKE_DIR"), os.Args[1:]))
	case "wait":
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	os.Exit(m.Run())
}

// runner starts a process that stands for a runner, and returns it as an owner,
// and what ends it and waits for its end.
func runner(t *testing.T) (owner job.Process, end func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	// The race detector would let it sleep for a second before its end.
	cmd.Env = append(os.Environ(), roleVariable+"=wait", "GORACE=atexit_sleep_ms=0")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() { _ = stdin.Close(); _ = cmd.Wait() }
	t.Cleanup(end)
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	owner, err = job.ProcessOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return owner, end
}

// makeDir makes a directory with something in it, marked where there is an owner.
func makeDir(t *testing.T, dir string, owner *job.Process) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "sub", "auth.json"), "secret")
	if owner == nil {
		return
	}
	if err := Mark(dir, *owner, ""); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

func TestDirectories(t *testing.T) {
	living, _ := runner(t)
	dead, end := runner(t)
	end()
	unseen := dead
	unseen.Host += ".elsewhere"
	// A parent whose name would be a pattern itself.
	parent := filepath.Join(t.TempDir(), "tmp[1]*")
	marked := map[string]*job.Process{
		"custom-executor1": &dead, "custom-executor2": &living, "custom-executor3": nil, "custom-executor4": &unseen,
		"custom-executor": &dead, "other": &dead, "xcustom-executor5": &dead,
	}
	for name, owner := range marked {
		makeDir(t, filepath.Join(parent, name), owner)
	}
	damaged := filepath.Join(parent, "custom-executor6")
	makeDir(t, damaged, nil)
	writeFile(t, filepath.Join(damaged, ownerFile), "no owner\n")
	// A link to a directory of a dead runner, and a file with such a name.
	target := filepath.Join(t.TempDir(), "target")
	makeDir(t, target, &dead)
	if err := os.Symlink(target, filepath.Join(parent, "custom-executor7")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(parent, "custom-executor8"), dead.String())

	if err := Directories(parent, "custom-executor*", time.Now()); err != nil {
		t.Fatal(err)
	}
	removed := map[string]bool{"custom-executor1": true, "custom-executor": true}
	for _, name := range []string{
		"custom-executor", "custom-executor1", "custom-executor2", "custom-executor3", "custom-executor4", "custom-executor6",
		"custom-executor7", "custom-executor8", "other", "xcustom-executor5",
	} {
		if got := !exists(filepath.Join(parent, name)); got != removed[name] {
			t.Errorf("%s: removed is %v, want %v", name, got, removed[name])
		}
	}
	if !exists(filepath.Join(target, "sub", "auth.json")) {
		t.Error("the target of a link is gone")
	}
	// Once more: there is nothing to do.
	if err := Directories(parent, "custom-executor*", time.Now()); err != nil {
		t.Error(err)
	}
}

// The directory stays as long as the runner lives, and goes after it.
func TestDirectoryOfARunnerThatEnds(t *testing.T) {
	owner, end := runner(t)
	parent := t.TempDir()
	dir := filepath.Join(parent, "x")
	makeDir(t, dir, &owner)
	for range 2 {
		if err := Directories(parent, "*", time.Now().Add(100*365*24*time.Hour)); err != nil || !exists(dir) {
			t.Fatalf("the directory of a living runner is gone: %v", err)
		}
	}
	end()
	if err := Directories(parent, "*", time.Now()); err != nil || exists(dir) {
		t.Errorf("the directory of a dead runner is there: %v", err)
	}
}

func TestDirectoriesOfOthersStay(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make another user's directory")
	}
	owner, end := runner(t)
	end()
	parent := t.TempDir()
	dir := filepath.Join(parent, "x")
	makeDir(t, dir, &owner)
	if err := os.Chown(dir, 1234, 1234); err != nil {
		t.Skipf("changing the owner of a directory: %v", err)
	}
	if err := Directories(parent, "*", time.Now()); err != nil || !exists(dir) {
		t.Errorf("another user's directory is gone: %v", err)
	}
}

func TestDirectoriesErrors(t *testing.T) {
	parent := t.TempDir()
	if err := Directories(filepath.Join(parent, "none"), "*", time.Now()); err != nil {
		t.Errorf("no parent, nothing to remove: %v", err)
	}
	writeFile(t, filepath.Join(parent, "file"), "")
	for _, test := range []struct{ parent, pattern string }{{parent, "["}, {filepath.Join(parent, "file"), "*"}} {
		if err := Directories(test.parent, test.pattern, time.Now()); err == nil || !strings.HasPrefix(err.Error(), "looking for leftovers: ") {
			t.Errorf("%q, %q: %v", test.parent, test.pattern, err)
		}
	}
}

func TestMark(t *testing.T) {
	dir := t.TempDir()
	owner := job.Process{Host: "h", Boot: "b", Namespace: "n", PID: 7, Start: 9}
	if err := Mark(dir, owner, "/tmp/a"); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, ownerFile)
	text, err := os.ReadFile(name)
	if err != nil || string(text) != "h/b/n/7/9\n/tmp/a\n" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := Mark(filepath.Join(dir, "none"), owner, ""); err == nil || !strings.HasPrefix(err.Error(), "marking the job's directory: ") {
		t.Errorf("into no directory: %v", err)
	}
}

func TestReason(t *testing.T) {
	living, _ := runner(t)
	gone, end := runner(t)
	end()
	now := time.Now()
	later, earlier := strconv.FormatInt(now.Unix()+10, 10), strconv.FormatInt(now.Unix()-10, 10)
	unseen := living
	unseen.Host += ".elsewhere"
	dir := t.TempDir()
	there, removed := dir, filepath.Join(dir, "removed")
	tests := []struct{ owner, deadline, attempt, want string }{
		{gone.String(), later, there, runnerGone},
		{gone.String(), earlier, removed, runnerGone},
		{living.String(), later, there, ""},
		{living.String(), earlier, there, ""},
		{living.String(), later, removed, jobFinished},
		{living.String(), later, filepath.Join(removed, "below"), ""},
		{living.String(), later, "custom-executor1", ""},
		{living.String(), later, "", ""},
		{unseen.String(), later, removed, ""},
		{unseen.String(), earlier, there, pastDeadline},
		{"", earlier, removed, ""},
		{"h/b/x/1", earlier, removed, ""},
		{gone.String(), "", removed, ""},
		{gone.String(), "soon", removed, ""},
	}
	for _, test := range tests {
		labels := map[string]string{job.LabelOwner: test.owner, job.LabelDeadline: test.deadline, job.LabelAttempt: test.attempt}
		if got := reason(labels, now); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
		labels[job.LabelKeep] = labels[job.LabelAttempt]
		if got := reason(labels, now); got != "" {
			t.Errorf("%+v, to be kept: %q", test, got)
		}
	}
	if got := reason(nil, now); got != "" {
		t.Errorf("an object without labels: %q", got)
	}
}

// The directory of an auth file goes with the job, while the runner lives.
func TestDirectoryOfAFinishedJob(t *testing.T) {
	owner, _ := runner(t)
	attempt, parent := t.TempDir(), t.TempDir()
	dir := filepath.Join(parent, "x")
	makeDir(t, dir, nil)
	if err := Mark(dir, owner, attempt); err != nil {
		t.Fatal(err)
	}
	if err := Directories(parent, "*", time.Now()); err != nil || !exists(dir) {
		t.Errorf("while the job runs: %v, there is %v", err, exists(dir))
	}
	if err := os.Remove(attempt); err != nil {
		t.Fatal(err)
	}
	if err := Directories(parent, "*", time.Now()); err != nil || exists(dir) {
		t.Errorf("after the job: %v, there is %v", err, exists(dir))
	}
}
