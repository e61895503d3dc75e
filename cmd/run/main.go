// Command run is the driver's run_exec: it runs one script of a job in the
// container that the script belongs to.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/handover"
	"podman-executor/internal/plan"
	"podman-executor/internal/site"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
)

var program = driver.Program{
	Name: "podman-executor-run",
	About: "podman-executor-run runs one script of a job in the job's container.\n" +
		"It is called by gitlab-runner: set it as run_exec in [runners.custom] of config.toml.",
	Help:    help,
	Stage:   run,
	Explain: site.Explain,
}

func main() { os.Exit(driver.Main(program)) }

// maxScript bounds a script, in bytes, by the size of the tmpfs that holds it.
const maxScript = 60 << 20

// run knows the job only from its plan.
func run(ctx context.Context, call *driver.Call) error {
	if len(call.Args) != 2 {
		return &driver.Fault{
			Err:  fmt.Errorf("want a script and the name of a step, got %d arguments", len(call.Args)),
			Hint: "run_args in [runners.custom] may hold options only, such as --policy FILE",
		}
	}
	script, name := call.Args[0], call.Args[1]
	p, err := plan.Read(call.Getenv("TMPDIR"))
	if err != nil {
		return &driver.Fault{Err: err, Hint: "set prepare_exec in [runners.custom] to podman-executor-prepare"}
	}
	log, err := site.OpenLog(call, p.Log, p.JobID, p.ProjectID)
	if err != nil {
		return err
	}
	defer log.Close()
	started := time.Now()
	if name == step.Last {
		// The containers end while the runner goes on, so cleanup need not wait for them.
		defer dismiss(p, p.RunnerContainer)
		dismiss(p, p.UserContainer)
	}
	if step.WhereOf(name) == step.Runner && p.RunnerContainer == "" {
		err = runOnHost(ctx, call, p, script, name)
	} else if step.WhereOf(name) == step.User && p.Launch != nil {
		err = runLaunched(ctx, call, p, log, script, name)
	} else {
		err = runInContainer(ctx, call, p, log, script, name)
	}
	if step.WhereOf(name) == step.User {
		warnOfEntryPoint(call, p.UnusedEntryPoint, err)
	}
	entry := log.WithField("step", name).WithField("seconds", time.Since(started).Seconds())
	if err != nil {
		entry = entry.WithField("failure", err.Error())
	}
	entry.Info("step ended")
	return err
}

// dismiss ends a container that stays, if it is there. If that fails, cleanup ends it.
func dismiss(p plan.Plan, container string) {
	if dir, ok := p.StepsDirs[container]; ok {
		_ = handover.Dismiss(dir)
	}
}

func runInContainer(ctx context.Context, call *driver.Call, p plan.Plan, log *site.Log, script, name string) error {
	container, clean := p.UserContainer, step.CleanNothing
	if step.WhereOf(name) == step.Runner {
		container, clean = p.RunnerContainer, p.Sources.Before(name)
	}
	text, shell, err := readScript(script)
	if err != nil {
		return err
	}
	pm, disconnect, err := site.Connect(ctx, *p.Podman.Client(log.Podman), p.Podman.Host())
	if err != nil {
		return err
	}
	defer disconnect()
	if p.GiveProject && container == p.UserContainer {
		if err := giveProject(ctx, call, p, &pm); err != nil {
			return err
		}
	}
	streams := podman.Streams{Stdin: step.Input(text, clean), Stdout: call.Stdout, Stderr: call.Stderr}
	started := time.Now()
	err = containerStep{podman: &pm, plan: p, dir: call.Getenv("TMPDIR"), container: container}.run(ctx, streams)
	if p.ShowServices && container == p.UserContainer {
		if step.IsScript(name) {
			started = time.Time{} // also what they logged when they started
		}
		showServices(ctx, call, p, &pm, started)
	}
	var exit *driver.ScriptError
	if shell == step.PowerShell && container == p.RunnerContainer && errors.As(err, &exit) && exit.Code == step.ExitNoShell {
		return &driver.Fault{
			Err:  errors.New("the runner image has no pwsh"),
			Hint: `add PowerShell to the image of runner_image in the policy, or set shell = "bash" in config.toml`,
		}
	}
	return err
}

// warnOfEntryPoint names an entry point that does not run, if the script did not find a program:
// an image may have its programs on the PATH only behind its entry point. A shell ends with 127
// then, with 126 if it cannot execute one.
func warnOfEntryPoint(call *driver.Call, entry []string, err error) {
	var exit *driver.ScriptError
	if len(entry) == 0 || !errors.As(err, &exit) || exit.Code != 126 && exit.Code != 127 {
		return
	}
	words := make([]string, len(entry))
	for i, word := range entry {
		words[i] = strconv.Quote(word)
	}
	list := strings.Join(words, ", ")
	if len(list) > maxEntryPoint {
		list = list[:maxEntryPoint] + "…"
	}
	call.Warn("exit code %d: a program was not found or cannot run, and the image's ENTRYPOINT [%s] does not run before scripts; "+
		"if it sets up the image's programs, write it as image:entrypoint in .gitlab-ci.yml, or set image_entry_point in the policy", exit.Code, list)
}

// maxEntryPoint is how much of an image's entry point is shown, in bytes.
const maxEntryPoint = 200

// readScript returns a script and its shell, which is one that runs here.
func readScript(name string) ([]byte, step.Shell, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, "", fmt.Errorf("reading the script: %w", err)
	}
	if info.Size() > maxScript {
		return nil, "", &driver.Refusal{
			Err:  fmt.Errorf("the script with all of the job's variables is larger than %d MiB", maxScript>>20),
			Hint: "put large data into files of the repository, or artifacts, instead of variables",
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, "", fmt.Errorf("reading the script: %w", err)
	}
	shell := step.ShellOf(text)
	if shell == step.NoShell {
		return nil, "", &driver.Fault{
			Err:  errors.New("the script is for a shell that this driver does not know"),
			Hint: `set shell to "bash", "sh" or "pwsh" in [[runners]] of config.toml`,
		}
	}
	return text, shell, nil
}

func runOnHost(ctx context.Context, call *driver.Call, p plan.Plan, script, name string) error {
	_, shell, err := readScript(script)
	if err != nil {
		return err
	}
	h := step.Host{
		Shell: shell, Dir: p.HostDir, Env: p.HostEnv, Open: p.HostOpen, Clean: p.Sources.OnHost(name), Sources: p.Sources,
		Stdout: call.Stdout, Stderr: call.Stderr, Grace: p.Grace,
	}
	err = h.Run(ctx, script)
	var exit *step.HostScriptError
	switch {
	case errors.As(err, &exit):
		return &driver.ScriptError{Code: exit.Code}
	case errors.Is(err, step.ErrNoPowerShell):
		return &driver.Fault{Err: err, Hint: `install PowerShell on the host of the runner, or set shell = "bash" in config.toml`}
	}
	return err
}
