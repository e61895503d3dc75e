package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/gitlab-org/gitlab-runner/executors/custom/api"

	"podman-executor/internal/trust"
)

// ScriptError is the error of a job's own script that ended with a code other than 0.
type ScriptError struct {
	Code int
	// Cause is what ended the script, if the script cannot have reported it itself; nil
	// otherwise.
	Cause error
}

func (e *ScriptError) Error() string {
	return fmt.Sprintf("the script ended with exit code %d", e.Code)
}

// Refusal is the error of a job that asks for what it may not or cannot have. Its author can
// fix it; a retry does not help.
type Refusal struct {
	Err error
	// Hint is what its author can do, for the hint line. If it is empty, Err's hint is used.
	Hint string
}

func (e *Refusal) Error() string { return e.Err.Error() }
func (e *Refusal) Unwrap() error { return e.Err }

// Fault is a failure of the machine, of podman or of the policy file, with a hint for the
// administrator. Any other error also counts as one, without a hint.
type Fault struct {
	Err error
	// Hint is what the administrator can do. If it is empty, Err's hint is used.
	Hint string
}

func (e *Fault) Error() string { return e.Err.Error() }
func (e *Fault) Unwrap() error { return e.Err }

// ownHint returns the hint of an error itself, not of one that it wraps.
func ownHint(err error) string {
	switch e := err.(type) {
	case *Refusal:
		return e.Hint
	case *Fault:
		return e.Hint
	case interface{ Hint() string }:
		return e.Hint()
	}
	return ""
}

// The runner's exit statuses, unless it sets others (gitlab-runner
// executors/custom/command/command.go:19).
const (
	buildFailure  = 1
	systemFailure = 2
)

// finish turns a stage's error into an exit status, and prints it. This is the only place that
// does either.
//
//	what happened                              stderr         code file  exit
//	the script ended with n                    its cause      n          build failure
//	the job asks for what it cannot have       error, hint    –          build failure
//	the stage was told to stop                 nothing        –          system failure
//	anything else                              error, hint    –          system failure
func (c *Call) finish(ctx context.Context, err error) int {
	var script *ScriptError
	var refusal *Refusal
	switch {
	case err == nil && ctx.Err() == nil:
		return 0
	case errors.As(err, &script):
		if script.Cause != nil {
			c.report(script.Cause)
		}
		if writeErr := c.writeCode(script.Code); writeErr != nil {
			c.say("error", writeErr.Error())
			return c.status(api.SystemFailureExitCodeVariable, systemFailure)
		}
		return c.status(api.BuildFailureExitCodeVariable, buildFailure)
	case ctx.Err() != nil:
		// Never 0 or a build failure: the runner would take a cancelled
		// prepare for a success or for the job's fault
		// (gitlab-runner common/build.go:1364).
		return c.status(api.SystemFailureExitCodeVariable, systemFailure)
	case errors.As(err, &refusal):
		c.report(err)
		return c.status(api.BuildFailureExitCodeVariable, buildFailure)
	default:
		if c.explain != nil {
			if hint := c.explain(err); hint != "" {
				err = &Fault{Err: err, Hint: hint}
			}
		}
		c.report(err)
		return c.status(api.SystemFailureExitCodeVariable, systemFailure)
	}
}

// forAdministrator is the hint for an error without one.
const forAdministrator = "ask the administrator of this runner; the driver's log (general.log_file in the policy) and gitlab-runner's log say more"

// report prints an error, one line for each of its own, and its hint.
func (c *Call) report(err error) {
	for _, line := range linesOf(err) {
		c.say("error", line)
	}
	c.say("hint", cmp.Or(Hint(err), forAdministrator))
}

// linesOf returns the text of an error, a line for each of several that were joined. The
// text of one error is one line, whatever is in it: a job may have chosen a part of it.
func linesOf(err error) []string {
	text := err.Error()
	var parts []error
	switch e := err.(type) {
	case interface{ Lines() []string }:
		return e.Lines()
	case interface{ Unwrap() []error }:
		parts = slices.DeleteFunc(slices.Clone(e.Unwrap()), func(part error) bool { return part == nil })
	case interface{ Unwrap() error }:
		if part := e.Unwrap(); part != nil {
			parts = []error{part}
		}
	}
	if len(parts) == 0 {
		return []string{text}
	}
	var texts, lines []string
	for _, part := range parts {
		texts = append(texts, part.Error())
		lines = append(lines, linesOf(part)...)
	}
	// A wrapper has put its own text before them.
	if before, ok := strings.CutSuffix(text, strings.Join(texts, "\n")); ok {
		lines[0] = before + lines[0]
		return lines
	}
	return []string{text}
}

// Hint returns the hint of an error, or of the first of several joined errors that has one;
// empty if there is none.
func Hint(err error) string {
	// A judged path has the most exact hint: who can write to what, and the command that fixes
	// it.
	if hint := trust.Hint(err); hint != "" {
		return hint
	}
	if hint := ownHint(err); hint != "" {
		return hint
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return Hint(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if hint := Hint(one); hint != "" {
				return hint
			}
		}
	}
	return ""
}

// Warn prints a warning.
func (c *Call) Warn(format string, args ...any) { c.say("warning", fmt.Sprintf(format, args...)) }

// say prints one line. Line breaks are replaced, since they would let a job forge lines.
func (c *Call) say(kind, text string) {
	c.log.line(c.Stderr, fmt.Sprintf("%s: %s: %s", c.Program, kind, Printable(text)))
}

// Printable returns s with control characters, and whatever else is not printable, replaced: a
// name chosen by a job must not move the cursor, or start a line or a section in a log.
func Printable(s string) string { return strings.Map(printable, s) }

// PrintableLine returns a line of a program's log as [Printable] does, but keeps tabs, as stack
// traces have them, and leaves colours out.
func PrintableLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return printable(r)
	}, colours.ReplaceAllLiteralString(s, ""))
}

// colours are the sequences by which programs colour what they print (ECMA-48, SGR).
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

func printable(r rune) rune {
	if strconv.IsPrint(r) {
		return r
	}
	return '�'
}

// status reads an exit status from the environment that the runner sets.
func (c *Call) status(variable string, otherwise int) int {
	if n, err := strconv.Atoi(c.Getenv(variable)); err == nil && n > 0 && n < 256 {
		return n
	}
	return otherwise
}

// writeCode hands a script's exit code to the runner, which reads the first
// line as a number (gitlab-runner executors/custom/command/command.go:166).
func (c *Call) writeCode(code int) error {
	file := c.Getenv(api.BuildCodeFileVariable)
	if file == "" {
		// Runners before 17.9 only know build failures without a code.
		return nil
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(code)+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing the script's exit code: %w", err)
	}
	return nil
}
