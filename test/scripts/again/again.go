package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

// errNotRun says that a command ended well and ran no test, or skipped it.
var errNotRun = errors.New("it was skipped, or did not run")

// again runs one suite.
type again struct {
	keep           string
	command        []string
	stdout, stderr io.Writer
}

// run runs the suite, and those of its tests once more that may. An error says why the suite has failed.
func (a again) run() error {
	first, err := a.start()
	if err == nil {
		return first.ranTests()
	}
	if err := first.ended(err); err != nil {
		return fmt.Errorf("no test runs once more: %w", err)
	}
	failed := first.failed()
	if err := claim(a.keep, failed); err != nil {
		return fmt.Errorf("no test runs once more: %w", err)
	}
	for _, t := range failed {
		// gotestsum takes no line for an error that begins so.
		fmt.Fprintf(a.stderr, "warning: %s has failed; it runs once more, alone\n", t.fullName())
		second, err := a.start(fmt.Sprintf("-test.run=^(%s)$", t.name))
		if err != nil || !second.passed(t.name) {
			return fmt.Errorf("%s has not passed when it ran once more: %w", t.fullName(), cmp.Or(err, errNotRun))
		}
	}
	return nil
}

// start runs the command to its end, with arguments more, and prints what it prints. The error is
// that of the command, which has exit status 1 whenever the suite fails (test2json).
func (a again) start(more ...string) (*results, error) {
	r := newResults()
	cmd := exec.Command(a.command[0], slices.Concat(a.command[1:], more)...)
	cmd.Stdin, cmd.Stderr = os.Stdin, a.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	err = r.read(io.TeeReader(out, a.stdout))
	return r, errors.Join(cmd.Wait(), err)
}
