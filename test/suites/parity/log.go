package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// normaliser knows what differs from one run of a job to the next.
type normaliser struct {
	// server is GitLab's URL, registry the address of the registry.
	server, registry string
}

// prepareSection is the one that is the executor's own affair.
const prepareSection = "prepare_executor"

// notReady is what both executors say about a service, among other words.
const notReady = "probably didn't start properly"

// log returns a trace in the form that is compared: a heading for each stream of
// each section that has lines, without what is an executor's own way to prepare
// a job, and without what no two runs have in common.
func (n normaliser) log(trace []byte) (string, error) {
	all, err := sections(trace)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	part := func(heading string, text lines) {
		if text = without(tracedLine, text); len(text) == 0 {
			return
		}
		fmt.Fprintf(&b, "== %s\n", heading)
		for _, line := range text {
			fmt.Fprintln(&b, n.line(line))
		}
	}
	for _, s := range all {
		if s.name == prepareSection {
			s = prepared(s)
		}
		part(s.name, without(executorLine, s.runner))
		part(s.name+", output", s.output)
		part(s.name+", errors", s.errors)
	}
	return b.String(), nil
}

// without returns the lines that do not match.
func without(what *regexp.Regexp, text lines) (rest lines) {
	for _, line := range text {
		if !what.MatchString(line) {
			rest.add(line, false)
		}
	}
	return rest
}

// prepared is what the preparing of two executors has in common: the number of
// services that are not ready.
func prepared(s section) section {
	short := section{name: s.name}
	for _, line := range slices.Concat(s.runner, s.output, s.errors) {
		if strings.Contains(line, notReady) {
			short.runner.add("a service "+notReady, false)
		}
	}
	return short
}

// executorLine is what gitlab-runner says for one executor only, whatever the
// job: how the docker executor makes and ends containers, and that the custom
// executor gives a script's step another name than it has in the log
// (gitlab-runner executors/custom/custom.go).
var executorLine = regexp.MustCompile(`^(Using (docker image sha256:|helper image: |effective pull policy |default image$)|` +
	`Container \S+ disconnected from network |WARNING: Starting with version 17\.0 the 'build_script' stage )`)

// tracedLine is printed with CI_DEBUG_TRACE only. Two programs of a pipe are traced
// at the same time, so their lines come in any order; and of two variables the
// job "environment" tells which executor sets which.
var tracedLine = regexp.MustCompile(`^(\+* ?(export )?CI_(SHARED|DISPOSABLE)_ENVIRONMENT=true|` +
	`\++ echo 'url=http:.*|\++ git credential reject|username=gitlab-ci-token')$`)

// rules are what one line may lose. Each has to be so narrow that no script of the
// pipelines prints the like by chance.
var rules = []struct {
	what *regexp.Regexp
	with string
}{
	// The driver's project directory has the runner's token and the slot in it.
	{regexp.MustCompile(`/builds/(?:[A-Za-z0-9_-]{8,9}/\d+/)?` + projectPath), "PROJECT_DIR"},
	{regexp.MustCompile(`runner-[A-Za-z0-9_-]{8,9}-project-(\d+)-concurrent-\d+`), "runner-TOKEN-project-$1-concurrent-SLOT"},
	{regexp.MustCompile(`section_(start|end):\d{10}:`), "section_$1:TIME:"},
	{regexp.MustCompile(`\b(CI_JOB_ID|CI_SERVER_PORT|CI_RUNNER_SHORT_TOKEN)=\w+`), "$1=VALUE"},
	{regexp.MustCompile(`/-/jobs/\d+`), "/-/jobs/ID"},
	{regexp.MustCompile(`Gitaly correlation ID: [0-9a-f]+`), "Gitaly correlation ID: ID"},
	// What the runner's own programs log. The number of a job stands there, too.
	{regexp.MustCompile(`\b(correlation_id|pid|id)(\x1b\[0;m)?=[0-9a-f]+`), "$1=ID"},
	{regexp.MustCompile(`artifacts for (.+) \(\d+\)`), "artifacts for $1 (ID)"},
	// The custom executor says status where the docker executor says code.
	{regexp.MustCompile(`^(ERROR: Job failed:|WARNING: after_script failed, but job will continue unaffected:) exit (?:code|status) (\d+)$`), "$1 exit code $2"},
	// A shell that reads the script from its input has another name for it.
	{regexp.MustCompile(`^(/usr/bin/bash|/run/podman-executor/script): line \d+: `), "SCRIPT: line N: "},
	{regexp.MustCompile(`^podman-executor: \d+: `), "podman-executor: line N: "},
	// Where in the runner an error was made, and after how long.
	{regexp.MustCompile(` \(\w+\.go:\d+:\d+s\)`), ""},
}

// line returns a line of a log as it is compared, with what cannot be seen
// escaped.
func (n normaliser) line(line string) string {
	line = strings.NewReplacer(
		n.server, "GITLAB", strings.TrimPrefix(n.server, "http://"), "GITLAB", n.registry, "REGISTRY").Replace(line)
	for _, r := range rules {
		line = r.what.ReplaceAllString(line, r.with)
	}
	return strings.NewReplacer("\x1b", `\e`, "\r", `\r`, "\x00", `\0`).Replace(line)
}
