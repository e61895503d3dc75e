package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"podman-executor/internal/driver"
)

// The units of examples/ and of the image ask for what this program knows.
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

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"90m": 90 * time.Minute, "12h": 12 * time.Hour, "0": 0, "0d": 0, "30d": 720 * time.Hour, "10000d": 240000 * time.Hour} {
		if got, err := parseDuration(text); got != want || err != nil {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1h", "-1d", "1.5d", "30", "10001d", "1w", "d30", "1h30d"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestParsePercent(t *testing.T) {
	for text, want := range map[string]int{"80": 80, "80%": 80, "1": 1, "99": 99} {
		if got, err := parsePercent(text); got != want || err != nil {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "%", "0", "100", "-5", "80%%", "0.8", "80 %"} {
		if got, err := parsePercent(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestFigures(t *testing.T) {
	for want, d := range map[string]time.Duration{"0s": -time.Hour, "90s": 90 * time.Second, "2m": 2 * time.Minute, "119m": 119 * time.Minute, "47h": 47 * time.Hour, "2d": 48 * time.Hour} {
		if got := age(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{-1: "", 0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 5 << 50: "5120.0 TiB"} {
		if got := bytes(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
