package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"podman-executor/internal/driver"
)

// The units in examples/ and in the image use only options that this program has.
func TestSystemdUnits(t *testing.T) {
	const examples, image = "../../examples/systemd/", "../../image/rootfs/etc/systemd/system/"
	for _, unit := range []string{examples + "podman-executor-cleanup", image + "podman-executor-prune", image + "podman-executor-disk"} {
		t.Run(filepath.Base(unit), func(t *testing.T) {
			service, err := os.ReadFile(unit + ".service")
			if err != nil {
				t.Fatal(err)
			}
			words := commandOf(string(service))
			if len(words) == 0 {
				t.Fatal("it does not start this program")
			}
			flags := flag.NewFlagSet("cleanup", flag.ContinueOnError)
			flags.SetOutput(io.Discard)
			call := &driver.Call{}
			addFlags(flags, call)
			if err := flags.Parse(words); err != nil || call.Command == nil || flags.NArg() > 0 {
				t.Errorf("%q: %v, rest %q", words, err, flags.Args())
			}
			timer, err := os.ReadFile(unit + ".timer")
			if err != nil || !strings.Contains(string(timer), "\nWantedBy=timers.target\n") || !regexp.MustCompile(`\nOn(Calendar|UnitInactiveSec)=`).Match(timer) {
				t.Errorf("the timer: %v\n%s", err, timer)
			}
		})
	}
}

// commandOf returns the arguments of ExecStart=, with the variables that the unit itself
// sets by Environment=.
func commandOf(unit string) []string {
	variables := map[string]string{}
	var words []string
	for line := range strings.Lines(unit) {
		line = strings.TrimSpace(line)
		if set, ok := strings.CutPrefix(line, "Environment="); ok {
			for _, v := range strings.Fields(set) {
				name, value, _ := strings.Cut(v, "=")
				variables[name] = value
			}
		}
		if command, ok := strings.CutPrefix(line, "ExecStart=/usr/libexec/podman-executor/cleanup "); ok {
			words = strings.Fields(command)
		}
	}
	for i, w := range words {
		words[i] = os.Expand(w, func(name string) string { return variables[name] })
	}
	return words
}
