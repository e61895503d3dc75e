package drivertest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"podman-executor/internal/fakepodman"
	"podman-executor/internal/launch"
	"podman-executor/internal/plan"
	"podman-executor/pkg/podman"
)

// commands are the commands of scripts besides testscript's own.
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"stage":  positive(stage),
	"orphan": positive(orphan),
	"var":    positive(setVar),
	"calls":  positive(printCalls),
	"argv":   positive(printArgv),
	"env-of": positive(printEnv),
	"code":   positive(checkCode),
	"plan":   positive(writePlan),
	"old":    positive(makeOld),
}

// positive refuses the `!` of scripts: each command says exactly what it wants.
func positive(command func(*testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("there is no ! of this command")
		}
		command(ts, args)
	}
}

// patience is how long a program may take at most: one that hangs must fail its script, not the
// whole test binary.
const patience = 2 * time.Minute

// stage calls the program as the runner does, and wants that exit status:
//
//	stage [-term VERB|@FILE] STATUS NAME ARGS...
//
// NAME is the program's last word, such as "prepare". With -term the program's
// process group gets SIGTERM as soon as podman is called with that verb, or the
// file is there.
func stage(ts *testscript.TestScript, args []string) {
	w := worldOf(ts)
	verb := ""
	if len(args) > 2 && args[0] == "-term" {
		verb, args = args[1], args[2:]
	}
	if len(args) < 2 {
		ts.Fatalf("usage: stage [-term VERB|@FILE] STATUS NAME ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	program, err := exec.LookPath("podman-executor-" + args[1])
	ts.Check(err)
	var stdout, stderr strings.Builder
	cmd := exec.Command(program, args[2:]...)
	cmd.Dir, cmd.Env = filepath.Join(w.dir, attempt), w.environ()
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	before := len(selected(ts, nil))
	_ = os.Remove(filepath.Join(w.fakeDir(), fakepodman.Signalled))
	ts.Check(cmd.Start())
	watchdog := time.AfterFunc(patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer watchdog.Stop()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if verb != "" {
		err = w.terminateAt(verb, before, cmd.Process.Pid, ended)
	} else {
		err = <-ended
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	fmt.Fprint(ts.Stdout(), w.normalised(stdout.String()))
	fmt.Fprint(ts.Stderr(), w.normalised(stderr.String()))
	if got := cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("%s: exit status %d, want %d", args[1], got, want)
	}
}

// terminateAt sends SIGTERM to a process group once podman was called with the
// verb, which is not among the first calls, or the file is there. It waits for
// the program's end.
func (w *world) terminateAt(sign string, before, group int, ended <-chan error) error {
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("the program ended before %s: %v", sign, err)
		case <-time.After(5 * time.Millisecond):
		}
		seen, err := w.seen(sign, before)
		if err != nil {
			return err
		}
		if seen {
			break
		}
	}
	if err := syscall.Kill(-group, syscall.SIGTERM); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.fakeDir(), fakepodman.Signalled), nil, 0o600); err != nil {
		return err
	}
	return <-ended
}

// orphan calls the program and kills its caller, as when gitlab-runner dies, once
// podman is called with the first verb; it waits for a call with the second:
//
//	orphan VERB VERB NAME ARGS...
func orphan(ts *testscript.TestScript, args []string) {
	w := worldOf(ts)
	if len(args) < 3 {
		ts.Fatalf("usage: orphan VERB VERB NAME ARGS...")
	}
	program, err := exec.LookPath("podman-executor-" + args[2])
	ts.Check(err)
	before := len(selected(ts, nil))
	runner := exec.Command("sh", append([]string{"-c", `"$@"; exit`, "runner", program}, args[3:]...)...)
	runner.Dir, runner.Env = filepath.Join(w.dir, attempt), w.environ()
	said, err := os.Create(filepath.Join(w.dir, "said-by-orphan"))
	ts.Check(err)
	defer said.Close()
	runner.Stdout, runner.Stderr = said, said
	runner.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as stage does: signals to the tests' group are not for it
	ts.Check(runner.Start())
	for i, verb := range args[:2] {
		for deadline, seen := time.Now().Add(patience), false; !seen; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				ts.Fatalf("podman %s is not called; the program said:\n%s", verb, ts.ReadFile(said.Name()))
			}
			seen, err = w.seen(verb, before)
			ts.Check(err)
		}
		if i == 0 {
			ts.Check(runner.Process.Kill())
			_ = runner.Wait()
		}
	}
}

func (w *world) seen(sign string, before int) (bool, error) {
	if file, ok := strings.CutPrefix(sign, "@"); ok {
		_, err := os.Stat(filepath.Join(w.dir, file))
		return err == nil, nil
	}
	calls, err := fakepodman.ReadLog(w.log())
	return err == nil && slices.ContainsFunc(calls[before:], func(c fakepodman.Call) bool { return c.Verb == sign }), err
}

func (w *world) fakeDir() string { return filepath.Join(w.dir, "home", "fake-podman") }

func (w *world) log() string { return filepath.Join(w.fakeDir(), "log") }

// setVar adds variables to the runner's environment, NAME=value, or takes them
// out of it, NAME.
func setVar(ts *testscript.TestScript, args []string) {
	w := worldOf(ts)
	for _, v := range args {
		if !strings.Contains(v, "=") {
			v += "="
		}
		w.vars = append(w.vars, v)
	}
}

// selected returns podman's calls, only those with the given verbs if there are any. Calls that
// are made at the same time are put into a fixed order: see [inFrontOf].
func selected(ts *testscript.TestScript, verbs []string) []fakepodman.Call {
	calls, err := fakepodman.ReadLog(worldOf(ts).log())
	ts.Check(err)
	for i := range calls {
		for j := i; j > 0 && inFrontOf(calls[j], calls[j-1]); j-- {
			calls[j-1], calls[j] = calls[j], calls[j-1]
		}
	}
	return slices.DeleteFunc(calls, func(c fakepodman.Call) bool {
		return len(verbs) > 0 && !slices.Contains(verbs, c.Verb)
	})
}

// inFrontOf reports whether a call is shown before one that prepare makes at the same
// time: looking for images before making sure of volumes, the runner container before
// the user container.
func inFrontOf(c, other fakepodman.Call) bool {
	images := []string{"image-inspect", "image-exists", "image-pull"}
	volumes := []string{"volume-inspect", "volume-create"}
	return fakepodman.RoleIn(c.Args) == "runner" && fakepodman.RoleIn(other.Args) == "user" ||
		slices.Contains(images, c.Verb) && slices.Contains(volumes, other.Verb)
}

// printCalls prints the verb of each call of podman, one a line.
func printCalls(ts *testscript.TestScript, _ []string) {
	for _, c := range selected(ts, nil) {
		fmt.Fprintln(ts.Stdout(), c.Verb)
	}
	fmt.Fprint(ts.Stdout(), "")
}

// printArgv prints the command lines of podman's calls with the given verbs, of
// all where none is given: each option on a line of its own, and what has spaces
// quoted.
func printArgv(ts *testscript.TestScript, verbs []string) {
	var out strings.Builder
	for _, c := range selected(ts, verbs) {
		out.WriteString("podman")
		for _, arg := range c.Args {
			separator := " "
			if strings.HasPrefix(arg, "--") {
				separator = "\n  "
			}
			switch {
			case arg == once:
				arg = "STUB"
			case arg == loop:
				arg = "LOOP"
			case isTemplate(arg):
				arg = "TEMPLATE"
			case arg == "" || strings.ContainsAny(arg, " \t\n\""):
				arg = strconv.Quote(arg)
			}
			out.WriteString(separator + arg)
		}
		out.WriteString("\n")
	}
	fmt.Fprint(ts.Stdout(), worldOf(ts).normalised(out.String()))
}

// isTemplate reports whether an argument is a long --format template. These are tested in
// pkg/podman.
func isTemplate(arg string) bool { return len(arg) > 80 && strings.Contains(arg, "{{") }

// printEnv prints environment and directory of the first call with that verb.
func printEnv(ts *testscript.TestScript, args []string) {
	calls := selected(ts, args)
	if len(calls) == 0 {
		ts.Fatalf("podman was not called with %q", args)
	}
	for _, v := range calls[0].Env {
		fmt.Fprintln(ts.Stdout(), worldOf(ts).normalised(v))
	}
	fmt.Fprintln(ts.Stdout(), "in", calls[0].Dir)
	if mode := calls[0].AuthMode; mode != "" {
		fmt.Fprintln(ts.Stdout(), "auth file", mode)
	}
}

// checkCode wants that number in BUILD_EXIT_CODE_FILE, in the form that the
// runner reads; "none": no such file.
func checkCode(ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: code N|none")
	}
	text, err := os.ReadFile(filepath.Join(worldOf(ts).dir, attempt, "build_exit_code"))
	got := strings.TrimSuffix(string(text), "\n")
	switch {
	case errors.Is(err, os.ErrNotExist):
		got = "none"
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("exit code file: %q, want %q", got, args[0])
	}
}

// makeOld gives files a time in the past: `old DAYS FILE...`.
func makeOld(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: old DAYS FILE...")
	}
	days, err := strconv.Atoi(args[0])
	ts.Check(err)
	past := time.Now().AddDate(0, 0, -days)
	for _, file := range args[1:] {
		ts.Check(os.Chtimes(ts.MkAbs(file), past, past))
	}
}

// writePlan writes the plan that prepare would: `plan keep runner= grace=1s`.
func writePlan(ts *testscript.TestScript, args []string) {
	w := worldOf(ts)
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TMPDIR=/var/tmp",
		"HOME=" + filepath.Join(w.dir, "home"),
	}
	p := plan.Plan{
		JobID: 42, ProjectID: 7,
		RunnerContainer: "podman-executor-glrt-abc_12-42-runner",
		UserContainer:   "podman-executor-glrt-abc_12-42-user",
		AuthDir:         filepath.Join(w.dir, "run/podman-executor/custom-executor1"),
		Grace:           time.Minute,
		Podman:          plan.Podman{Program: w.fake, Env: env},
		HostEnv:         env,
	}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		var err error
		switch name {
		case "keep":
			p.Keep = true
		case "runner":
			p.RunnerContainer = value
		case "secrets":
			p.SecretsDir = value
		case "host":
			p.HostDir = value
		case "url":
			p.Podman.URL = value
		case "podman":
			p.Podman.Program = value
		case "log":
			p.Log = plan.Log{File: value, Level: "debug", Format: "json"}
		case "memory":
			p.Memory = map[string]plan.Memory{p.UserContainer: {Limit: value, More: "ask for more"}}
		case "timeout":
			p.Podman.Timeouts.Command, err = time.ParseDuration(value)
		case "launcher":
			p.Launch, err = w.launch(value)
		case "options":
			p.Launch.Variable, p.Launch.Options = "SCHEDULER_PARAMETERS", strings.Fields(value)
		case "give":
			p.GiveProject, p.Sources.Project = true, value
		case "entry":
			p.UnusedEntryPoint = strings.Split(value, ",")
		case "grace":
			p.Grace, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("plan: unknown word %q", arg)
		}
		ts.Check(err)
	}
	ts.Check(plan.Write(filepath.Join(w.dir, attempt), p))
}

// launch returns what prepare makes for a launcher.
func (w *world) launch(program string) (*plan.Launch, error) {
	l := &plan.Launch{
		Program: program, Words: []string{"--quiet"}, Dir: filepath.Join(w.dir, "data/job"), AuthFile: filepath.Join(w.dir, "auth.json"),
		Container: podman.Create{Mode: podman.Attached, PullPolicy: "missing", Image: "r.example.org/x@sha256:1", Command: []string{"-c", "x"}},
	}
	l.Slurm = slices.Contains([]string{"srun", "sbatch"}, filepath.Base(program))
	l.Batch = filepath.Base(program) == "sbatch"
	return l, errors.Join(launch.Make(filepath.Join(w.dir, "data"), l.Dir), os.WriteFile(l.AuthFile, []byte("{}"), 0o600))
}
