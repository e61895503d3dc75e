package job

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// roleVariable makes the test binary a child process: "wait" ends when its
// standard input does, "owner" prints CurrentRunner, "wrapper" runs "owner" as a
// script between the runner and the driver would.
const roleVariable = "PODMAN_EXECUTOR_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "wait":
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "owner":
		owner, err := CurrentRunner()
		fmt.Println(owner, err)
	case "wrapper":
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), roleVariable+"=owner")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			fmt.Println(err)
		}
	default:
		os.Exit(m.Run())
	}
}

// child returns this test binary in a role, not started.
func child(t *testing.T, program, role string) *exec.Cmd {
	t.Helper()
	if program == "" {
		program = self(t)
	}
	cmd := exec.Command(program)
	// The race detector would let it sleep for a second before its end.
	cmd.Env = append(os.Environ(), roleVariable+"="+role, "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func self(t *testing.T) string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// start starts a child that waits, and returns it as an owner, and what ends it.
func start(t *testing.T, program string) (owner Process, end func()) {
	t.Helper()
	cmd := child(t, program, "wait")
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
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	owner, err = ProcessOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return owner, func() { _ = stdin.Close() }
}

func TestOwnerText(t *testing.T) {
	for _, owner := range []Process{
		{Host: "h", Boot: "3c7f5d6e-0000-4000-8000-000000000000", Namespace: "4026531836", PID: 1, Start: 1},
		{Host: "runner.example.org", Boot: "b", Namespace: "n", PID: 4194304, Start: 1<<64 - 1},
		{},
	} {
		got, err := ParseProcess(owner.String())
		if owner.PID == 0 {
			if err == nil {
				t.Errorf("%q is taken for an owner", owner)
			}
		} else if err != nil || got != owner {
			t.Errorf("%q: %+v, %v", owner, got, err)
		}
	}
}

func TestNoOwners(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", `invalid owner ""`},
		{"h/b/n/1", `invalid owner "h/b/n/1"`},
		{"h/b/n/1/2/3", `invalid owner "h/b/n/1/2/3"`},
		{"h/b/n/x/2", `invalid owner "h/b/n/x/2": invalid process id "x"`},
		{"h/b/n/0/2", `invalid owner "h/b/n/0/2": invalid process id "0"`},
		{"h/b/n/-1/2", `invalid owner "h/b/n/-1/2": invalid process id "-1"`},
		{"h/b/n/1 /2", `invalid owner "h/b/n/1 /2": invalid process id "1 "`},
		{"h/b/n/99999999999999999999/2", `invalid owner "h/b/n/99999999999999999999/2": invalid process id "99999999999999999999"`},
		{"h/b/n/1/-2", `invalid owner "h/b/n/1/-2": strconv.ParseUint: parsing "-2": invalid syntax`},
		{"h/b/n/1/", `invalid owner "h/b/n/1/": strconv.ParseUint: parsing "": invalid syntax`},
	}
	for _, test := range tests {
		if got, err := ParseProcess(test.text); err == nil || err.Error() != test.want || got != (Process{}) {
			t.Errorf("%q: %+v, %v, want %s", test.text, got, err, test.want)
		}
	}
}

func TestGone(t *testing.T) {
	living, _ := start(t, "")
	now := time.Now()
	past, future := now.Add(-time.Second), now.Add(time.Second)
	change := func(change func(*Process)) Process {
		o := living
		change(&o)
		return o
	}
	tests := []struct {
		what     string
		owner    Process
		deadline time.Time
		want     bool
	}{
		{"a living process", living, future, false},
		{"a living process after the deadline", living, past, false},
		{"another process with the same pid", change(func(o *Process) { o.Start++ }), future, true},
		{"a pid that nothing has", change(func(o *Process) { o.PID = 1<<22 + 1 }), future, true},
		{"before the last boot", change(func(o *Process) { o.Boot = "x" }), future, true},
		{"another PID namespace", change(func(o *Process) { o.Namespace += "1" }), future, false},
		{"another PID namespace after the deadline", change(func(o *Process) { o.Namespace += "1" }), past, true},
		{"another PID namespace before the last boot", change(func(o *Process) { o.Boot, o.Namespace = "x", "1" }), future, true},
		{"another host", change(func(o *Process) { o.Host += "x" }), future, false},
		{"another host after the deadline", change(func(o *Process) { o.Host += "x" }), past, true},
		{"another host before its last boot", change(func(o *Process) { o.Host, o.Boot = "x", "x" }), future, false},
	}
	for _, test := range tests {
		if got := test.owner.Gone(test.deadline, now); got != test.want {
			t.Errorf("%s: gone is %v, want %v", test.what, got, test.want)
		}
	}
}

// A process that has ended is gone at once, also while its parent has not yet
// asked for its status.
func TestGoneWhenItEnds(t *testing.T) {
	owner, end := start(t, "")
	now := time.Now()
	if owner.Gone(now.Add(time.Hour), now) {
		t.Fatal("it is gone before its end")
	}
	end()
	for deadline := time.Now().Add(10 * time.Second); !owner.Gone(now.Add(time.Hour), now); {
		if time.Now().After(deadline) {
			t.Fatal("it is not gone 10 s after its end")
		}
		time.Sleep(time.Millisecond)
	}
	if p, err := readStat(owner.PID); err != nil || p.state != "Z" {
		t.Errorf("it was to be a zombie: %+v, %v", p, err)
	}
}

// An owner is here where its process can be seen, whether it lives or not.
func TestHere(t *testing.T) {
	owner, err := ProcessOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	place, err := Machine()
	if err != nil || !strings.HasPrefix(owner.String(), place+"/") {
		t.Errorf("%s is not the machine of %s: %v", place, owner, err)
	}
	rebooted, afar, inside := owner, owner, owner
	rebooted.Boot, afar.Host, inside.Namespace = "x", "x", "x"
	for _, test := range []struct {
		owner Process
		want  bool
	}{{owner, true}, {rebooted, true}, {afar, false}, {inside, false}, {Process{}, false}} {
		if got := test.owner.Here(); got != test.want {
			t.Errorf("%s: %v, want %v", test.owner, got, test.want)
		}
	}
}

// Finished looks for the attempt's directory, and in doubt says no.
func TestFinished(t *testing.T) {
	owner, _ := start(t, "")
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	elsewhere, other := owner, owner
	elsewhere.Host, other.PID = "elsewhere", 1<<22+1
	for _, test := range []struct {
		owner   Process
		attempt string
		want    bool
	}{
		{owner, dir, false},
		{owner, dir + "/removed", true},
		{owner, dir + "/none/removed", false},
		// An absolute link means another place in another root.
		{owner, link + "/removed", false},
		{owner, "removed", false},
		{owner, "", false},
		{elsewhere, dir + "/removed", false},
		{other, dir + "/removed", false},
	} {
		if got := test.owner.Finished(test.attempt); got != test.want {
			t.Errorf("%v, %q: %v", test.owner, test.attempt, got)
		}
	}
}

func TestProcessStat(t *testing.T) {
	p, err := readStat(os.Getpid())
	if err != nil || p.parent != os.Getppid() || p.start == 0 || p.state == "" {
		t.Errorf("of this process: %+v, %v", p, err)
	}
	if _, err := readStat(1<<22 + 1); !os.IsNotExist(err) {
		t.Errorf("of none: %v", err)
	}
}

// The name of a program stands in the middle of /proc/PID/stat as it is.
func TestProcessStatOfOddNames(t *testing.T) {
	for _, name := range []string{"a b", "a) S 1 (b", ")", "(", ") Z 1 1 1", "a\nb"} {
		program := filepath.Join(t.TempDir(), name)
		if err := os.Link(self(t), program); err != nil {
			copyProgram(t, program)
		}
		owner, _ := start(t, program)
		p, err := readStat(owner.PID)
		if err != nil || p.parent != os.Getpid() || p.state == "Z" || p.start == 0 {
			t.Errorf("%q: %+v, %v", name, p, err)
		}
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", owner.PID))
		if err != nil || string(comm) != name+"\n" {
			t.Errorf("%q has the name %q, %v", name, comm, err)
		}
	}
}

func copyProgram(t *testing.T, to string) {
	t.Helper()
	text, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o700); err != nil {
		t.Fatal(err)
	}
}

// The owner is the parent of the process group's leader, here this test, with or
// without a wrapper in between.
func TestCurrentOwner(t *testing.T) {
	want, err := ProcessOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"owner", "wrapper"} {
		out, err := child(t, "", role).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want.String()+" <nil>" {
			t.Errorf("%s: %q, %v, want %q", role, got, err, want)
		}
	}
	if want.Host == "" || strings.Contains(want.Host, "/") || len(want.Boot) != 36 || strings.Trim(want.Namespace, "0123456789") != "" || want.Namespace == "" {
		t.Errorf("host %q, boot %q, namespace %q", want.Host, want.Boot, want.Namespace)
	}
}
