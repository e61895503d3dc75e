// Package driver is the skeleton of the four programs: it gives a stage its
// inputs, and turns what the stage returns into what gitlab-runner expects of a
// custom executor's programs (gitlab-runner executors/custom/command/command.go:139).
//
// A stage is one function. It does not exit, does not print errors and reads no
// global: all of that happens here.
package driver

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"gitlab.com/gitlab-org/gitlab-runner/executors/custom/api"
)

// Program is one of the four programs.
type Program struct {
	// Name is the name of the program, such as "podman-executor-run".
	Name string
	// About says in two lines what the program is for, to those who run it by
	// hand.
	About string
	// Help is what --help prints. Its first paragraph is the usage.
	Help string
	// Uninterruptible lets the stage finish when it is told to stop.
	Uninterruptible bool
	// Flags, if set, adds the program's own options. An option that asks for other work than
	// the stage's sets [Call.Command].
	Flags func(*flag.FlagSet, *Call)
	// Stage does the program's work.
	Stage func(context.Context, *Call) error
	// Explain, if set, returns a better hint than the error's own for faults that can occur
	// with any command or file; empty for all others.
	Explain func(error) string
	// Reexec is for the program calling itself in podman's namespaces.
	Reexec Reexec
}

// Reexec is what a program does if its first argument is one of Verbs: Main gets all
// arguments and returns the exit status.
type Reexec struct {
	Verbs []string
	Main  func(args []string, stderr io.Writer) int
}

// Call is one call of a program by the runner.
type Call struct {
	Program string
	// Policy is the file named by --policy; empty: see site.LoadPolicy.
	Policy string
	// Command, if an option has set it, runs instead of the stage. It needs no runner and no
	// job, may be interrupted, and exits with 0 or 1.
	Command func(context.Context, *Call) error
	// Args are the arguments after the options.
	Args []string
	// Environ is the whole environment, NAME=value.
	Environ        []string
	Stdout, Stderr io.Writer

	explain func(error) string
	log     jobLog
}

// Getenv returns a variable of the call's environment.
func (c *Call) Getenv(name string) string {
	for i := len(c.Environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(c.Environ[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// Exit statuses of a program that was not called by a runner.
const (
	exitCommand = 1
	exitUsage   = 2
)

// Main runs a program and returns its exit status.
func Main(p Program) int {
	if len(os.Args) > 1 && slices.Contains(p.Reexec.Verbs, os.Args[1]) {
		return p.Reexec.Main(os.Args[1:], os.Stderr)
	}
	ctx, stop := stopContext()
	defer stop()
	return Run(ctx, p, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
}

// parentPoll is how often a program checks whether the runner is still there.
const parentPoll = time.Second

// stopContext returns a context that ends with SIGTERM, SIGINT, SIGQUIT or SIGHUP, and
// when the process that called the program is gone: a runner that was killed calls no
// cleanup, and a job that nobody watches must not go on.
//
// SIGPIPE is caught and dropped: when the runner has died, cleaning up matters more than
// reporting it. (If it were ignored, it would stay ignored in podman and the job.)
func stopContext() (context.Context, context.CancelFunc) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		ticker := time.NewTicker(parentPoll)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if os.Getppid() != parent {
					cancel()
				}
			}
		}
	}()
	return ctx, func() { cancel(); stop() }
}

// Run is [Main] with everything that it takes from the process as arguments.
func Run(ctx context.Context, p Program, args, environ []string, stdout, stderr io.Writer) (status int) {
	call := &Call{Program: p.Name, Environ: environ, Stdout: stdout, Stderr: stderr, explain: p.Explain}
	var version bool
	flags := p.options(call, &version)
	flags.SetOutput(stderr)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, p.Help)
			return 0
		}
		usage, _, _ := strings.Cut(p.Help, "\n\n")
		fmt.Fprintf(stderr, "%s\n\nSee %s --help.\n", usage, p.Name)
		return exitUsage
	}
	if version {
		fmt.Fprintln(stdout, p.Name, Version())
		return 0
	}
	call.Args = flags.Args()
	defer func() {
		if recover() != nil {
			status = call.finish(ctx, internalError())
		}
	}()
	if call.Command != nil {
		if err := call.Command(ctx, call); err != nil {
			call.report(err)
			return exitCommand
		}
		return 0
	}
	return call.stage(ctx, p)
}

// stage does the program's work for the runner.
func (c *Call) stage(ctx context.Context, p Program) int {
	if c.Getenv(api.JobResponseFileVariable) == "" || c.Getenv("TMPDIR") == "" {
		fmt.Fprintln(c.Stderr, p.About)
		return exitUsage
	}
	if p.Uninterruptible {
		ctx = context.WithoutCancel(ctx)
	}
	// A code that an earlier step left would be taken for this one's
	// (gitlab-runner executors/custom/custom.go:111: one file for the job).
	if file := c.Getenv(api.BuildCodeFileVariable); file != "" {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return c.finish(ctx, fmt.Errorf("removing the last step's exit code: %w", err))
		}
	}
	return c.finish(ctx, p.Stage(ctx, c))
}

// options returns the options of the program. Only Help says what each does.
func (p Program) options(call *Call, version *bool) *flag.FlagSet {
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.Usage = func() {}
	flags.StringVar(&call.Policy, "policy", "", "")
	flags.BoolVar(version, "version", false, "")
	if p.Flags != nil {
		p.Flags(flags, call)
	}
	return flags
}

// Options returns the names of the options that the program knows.
func (p Program) Options() (names []string) {
	p.options(&Call{}, new(bool)).VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

// internalError returns the error for a panic. It has the place, but no values, since they may
// be anything, including secrets.
func internalError() error {
	place := "an unknown place"
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		own := strings.HasPrefix(f.Function, "podman-executor/") || strings.HasPrefix(f.Function, "main.")
		if own && filepath.Base(f.File) != "driver.go" {
			place = fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(f.File)), filepath.Base(f.File), f.Line)
			break
		}
	}
	return &Fault{
		Err:  fmt.Errorf("internal error at %s", place),
		Hint: "this is a bug in podman-executor; please report it with this line and the versions of podman and gitlab-runner",
	}
}
