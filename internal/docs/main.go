// Command docs makes the reference pages under docs/ from the types that they describe, so that
// a page cannot contradict the program:
//
//	go run podman-executor/internal/docs PAGE OUTPUT
//
// `make docs` runs it through the go:generate lines beside the types.
package main

import (
	"fmt"
	"os"
)

// pages are the pages that can be made, by the first argument.
var pages = map[string]func() ([]byte, error){
	"policy":          policyPage,
	"troubleshooting": troubleshootingPage,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 || pages[args[0]] == nil {
		return fmt.Errorf("want the name of a page (policy, troubleshooting) and a file to write, got %q", args)
	}
	page, err := pages[args[0]]()
	if err != nil {
		return fmt.Errorf("making the page %s: %w", args[0], err)
	}
	return os.WriteFile(args[1], page, 0o644)
}
