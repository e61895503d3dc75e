// Command page makes the page of the benchmark, and its plot, from the results of
// test/measure/bench.
//
//	page --output DIRECTORY [--programs FILE] RESULTS
//
// FILE has what test/measure/bench/driver has measured. It writes benchmarks.md and
// benchmarks.svg. It is a module of its own since only it needs a library for plots.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"podman-executor/test/measure/bench/results"
)

func main() {
	if err := write(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "page: error:", err)
		os.Exit(1)
	}
}

func write(args []string) error {
	flags := flag.NewFlagSet("page", flag.ContinueOnError)
	output := flags.String("output", ".", "the `directory` that gets the page")
	programs := flags.String("programs", "", "the `file` of what the programs add")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("want one file of results")
	}
	var r results.Results
	if err := read(flags.Arg(0), &r); err != nil {
		return err
	}
	var p *results.Programs
	if *programs != "" {
		p = &results.Programs{}
		if err := read(*programs, p); err != nil {
			return err
		}
	}
	page, err := pageOf(r, p)
	if err != nil {
		return err
	}
	plot, err := plotOf(r)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(*output, "benchmarks.md"), page, 0o644),
		os.WriteFile(filepath.Join(*output, "benchmarks.svg"), plot, 0o644))
}

func read(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
