package lanes

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeMake stands in for make. Its targets say in the file `order` when they begin and end.
const fakeMake = `#!/usr/bin/env bash
cd "$DIR"
target=${!#}
echo "$target begins" >>order
case $target in
fails) echo "something is wrong"; echo "an error" >&2; sleep 0.2; status=2 ;;
waits-for-*) while [[ ! -e begun-${target#waits-for-} ]]; do sleep 0.05; done ;;
begins-*) touch "begun-${target#begins-}"; while [[ ! -e end ]]; do sleep 0.05; done ;;
ends-all) touch end ;;
endless) sleep 1000 & echo $! >pid; wait ;;
talks-*) for i in {1..50}; do echo "$target says $i"; sleep 0.01; done ;;
esac
echo "$target has $*"
echo "$target ends" >>order
exit ${status-0}
`

// output is the name of the file that has what the script says.
type output string

func (o output) String() string {
	text, err := os.ReadFile(string(o))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// start starts the script, which is called as from the project's directory.
func start(t *testing.T, environment []string, lanes ...string) (cmd *exec.Cmd, dir string, out output) {
	t.Helper()
	dir = t.TempDir()
	out = output(filepath.Join(dir, "output"))
	if err := os.WriteFile(filepath.Join(dir, "make"), []byte(fakeMake), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command("./run", append([]string{filepath.Join(dir, "logs")}, lanes...)...)
	cmd.Env = slices.Concat(os.Environ(), []string{"DIR=" + dir, "PATH=" + dir + ":" + os.Getenv("PATH")}, environment)
	file, err := os.Create(string(out))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, dir, out
}

func order(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "order"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// durations are what differs from run to run.
var durations = regexp.MustCompile(`\d+ min \d+ s`)

// Lanes run side by side, the targets of a lane one after the other, with the lane's variables.
func TestLanes(t *testing.T) {
	cmd, dir, out := start(t, nil, "begins-1 waits-for-2", "USER=second waits-for-1 begins-2", "ends-all")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	events := order(t, dir)
	for _, pair := range [][2]string{{"begins-1 ends", "waits-for-2 begins"}, {"begins-1 begins", "waits-for-1 ends"}, {"waits-for-1 ends", "begins-2 begins"}} {
		if slices.Index(events, pair[0]) >= slices.Index(events, pair[1]) {
			t.Errorf("%q is not before %q: %q", pair[0], pair[1], events)
		}
	}
	for _, line := range []string{"begins-1 has --no-print-directory begins-1\n", "waits-for-1 has --no-print-directory USER=second waits-for-1\n", "begins-2 has --no-print-directory USER=second begins-2\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("the output lacks %q:\n%s", line, out)
		}
	}
	if strings.Contains(out.String(), "FAILED") {
		t.Errorf("something failed:\n%s", out)
	}
}

// What fails ends nothing else, fails the whole, and is named at the end.
func TestFails(t *testing.T) {
	cmd, dir, out := start(t, nil, "fails hello", "talks-1")
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 1 {
		t.Errorf("exit status %d\n%s", status, out)
	}
	if events := order(t, dir); len(events) != 6 {
		t.Errorf("ran %q", events)
	}
	text := durations.ReplaceAllString(out.String(), "N")
	if want := "=== fails: FAILED in N\nsomething is wrong\nan error\nfails has --no-print-directory fails\n"; !strings.Contains(text, want) {
		t.Errorf("the output lacks %q:\n%s", want, text)
	}
	_, end, _ := strings.Cut(text, "=== all\n")
	lines := strings.Split(strings.TrimSpace(end), "\n")
	slices.Sort(lines)
	if want := []string{"fails: FAILED in N", "hello: passed in N", "talks-1: passed in N"}; !slices.Equal(lines, want) {
		t.Errorf("at the end %q, want %q", lines, want)
	}
}

// The lines of targets that print at the same time are not mixed.
func TestOutputInOnePiece(t *testing.T) {
	cmd, _, out := start(t, nil, "talks-1", "talks-2")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	var speakers []string
	for _, line := range strings.Split(out.String(), "\n") {
		if who, _, ok := strings.Cut(line, " says "); ok {
			speakers = append(speakers, who)
		}
	}
	if len(speakers) != 100 {
		t.Errorf("%d lines, want 100", len(speakers))
	}
	if pieces := slices.Compact(speakers); len(pieces) != 2 {
		t.Errorf("the pieces are %q", pieces)
	}
}

// Whoever waits sees what runs.
func TestSaysWhatRuns(t *testing.T) {
	cmd, dir, out := start(t, []string{"LANES_SAY=0.1"}, "begins-1")
	for !strings.Contains(out.String(), "=== begins-1: runs for ") {
		time.Sleep(10 * time.Millisecond)
	}
	if err := os.WriteFile(filepath.Join(dir, "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(durations.ReplaceAllString(out.String(), "N"), "=== begins-1: runs for N\n") {
		t.Errorf("it says %s", out)
	}
}

// Its end is that of all that it has started.
func TestTerminated(t *testing.T) {
	cmd, dir, out := start(t, nil, "endless hello", "begins-1")
	var pid []byte
	for len(pid) == 0 {
		time.Sleep(50 * time.Millisecond)
		pid, _ = os.ReadFile(filepath.Join(dir, "pid"))
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 143 {
		t.Errorf("exit status %d\n%s", status, out)
	}
	if text, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat"); err == nil && !strings.Contains(string(text), ") Z ") {
		t.Errorf("a target's process is left: %s", text)
	}
	if events := order(t, dir); slices.Contains(events, "hello begins") || slices.Contains(events, "endless ends") {
		t.Errorf("it went on: %q", events)
	}
}
