// Command again is how CI runs a suite of end-to-end tests: a few tests that fail run once more,
// alone, after the suite. Where they pass then, CI goes on, names them and keeps their logs.
//
//	again KEEP COMMAND [ARG...]
//
// COMMAND runs the suite and prints lines of test2json; `again` prints them, too, for gotestsum.
// With one more argument, -test.run='^(TestX)$', COMMAND runs TestX alone.
//
// KEEP is a directory, which gets the log of each test that runs once more, of the time when it
// failed: PACKAGE.TEST.log. Several suites may have it, at the same time, too: their
// tests count together. It must be empty when the first one begins.
//
// A suite fails that has run no test, that ended before all its tests did (a panic, a time-out), or
// in which more failed than may run once more; and where a test does not pass then.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: again KEEP COMMAND [ARG...]")
		os.Exit(2)
	}
	a := again{keep: os.Args[1], command: os.Args[2:], stdout: os.Stdout, stderr: os.Stderr}
	if err := a.run(); err != nil {
		fmt.Fprintln(os.Stderr, "again: error:", err)
		os.Exit(1)
	}
}
