package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// section is a part of a job log: that of one step, or what follows the last.
type section struct {
	name string
	// runner is what gitlab-runner says itself, output and errors what the
	// step's script says.
	runner, output, errors lines
}

// lines are complete lines. A job's two streams reach the log by two pipes, so
// their order is known for each of them only.
type lines []string

// add appends a line, or goes on with the last.
func (l *lines) add(text string, more bool) {
	if more && len(*l) > 0 {
		(*l)[len(*l)-1] += text
	} else {
		*l = append(*l, text)
	}
}

var (
	// What a line of a trace begins with, with FF_TIMESTAMPS: the time, the stream
	// (00 is gitlab-runner's own, 01 the step's), O or E for output or errors, "+"
	// where the line goes on with that stream's last one
	// (gitlab-runner common/buildlogger/internal/timestamper/timestamper.go).
	lineHead = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ([0-9a-f]{2}[OE])([ +])`)

	// Where a section starts or ends (gitlab-runner helpers/build_section.go:19).
	sectionMarker = regexp.MustCompile(`section_(start|end):\d+:([a-z_]+)\r\x1b\[0K`)

	colour = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
)

// sections cuts a trace up. What comes before the first section is dropped: the
// runner's version and name.
func sections(trace []byte) ([]section, error) {
	var all []section
	for _, line := range traceLines(trace) {
		switch {
		case line.stream == "00O", line.stream == "00E":
			all = addRunnerLine(all, line.text)
		case len(all) == 0:
			return nil, fmt.Errorf("a line stands before every section: %.100q", line.text)
		case line.stream == "01O":
			all[len(all)-1].output.add(line.text, line.more)
		case line.stream == "01E":
			all[len(all)-1].errors.add(line.text, line.more)
		default:
			return nil, fmt.Errorf("a line of the stream %q: %.100q", line.stream, line.text)
		}
	}
	return all, nil
}

// traceLine is a line of a trace, or a piece of one.
type traceLine struct {
	stream string
	more   bool
	text   string
}

// traceLines takes a trace's lines apart. The runner writes the head of a line and
// its text one after the other, so that another stream's line may come between
// them: what has no head of its own then belongs to the line that was cut.
func traceLines(trace []byte) []traceLine {
	var all []traceLine
	cut := -1
	for text := range strings.SplitSeq(strings.TrimSuffix(string(trace), "\n"), "\n") {
		heads := lineHead.FindAllStringSubmatchIndex(text, -1)
		if len(heads) == 0 || heads[0][0] > 0 {
			rest := text
			if len(heads) > 0 {
				rest = text[:heads[0][0]]
			}
			if cut < 0 {
				all, cut = append(all, traceLine{}), len(all) // sections complains
			}
			all[cut].text += rest
			cut = -1
		}
		for i, h := range heads {
			end := len(text)
			if i+1 < len(heads) {
				end, cut = heads[i+1][0], len(all)
			}
			all = append(all, traceLine{stream: text[h[2]:h[3]], more: text[h[4]:h[5]] == "+", text: text[h[1]:end]})
		}
	}
	return all
}

// addRunnerLine takes a line of gitlab-runner's own, which may begin with several
// markers.
func addRunnerLine(all []section, text string) []section {
	for {
		at := sectionMarker.FindStringSubmatchIndex(text)
		before := text
		if at != nil {
			before = text[:at[0]]
		}
		before = strings.TrimRight(colour.ReplaceAllString(before, ""), "\r ")
		if before != "" && len(all) > 0 {
			all[len(all)-1].runner.add(before, false)
		}
		if at == nil {
			return all
		}
		name := "the end"
		if text[at[2]:at[3]] == "start" {
			name = text[at[4]:at[5]]
		}
		if len(all) > 0 && all[len(all)-1].name == "the end" && len(all[len(all)-1].runner) == 0 {
			all = all[:len(all)-1] // nothing between two sections
		}
		all = append(all, section{name: name})
		text = text[at[1]:]
	}
}

// normaliser knows what differs from one run of a job to the next.
type normaliser struct {
	// server and registry are the addresses of the two.
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
		text = slices.DeleteFunc(text, func(line string) bool { return tracedLine.MatchString(line) })
		if len(text) == 0 {
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
		var runner lines
		for _, line := range s.runner {
			if !executorLine.MatchString(line) {
				runner.add(line, false)
			}
		}
		part(s.name, runner)
		part(s.name+", output", s.output)
		part(s.name+", errors", s.errors)
	}
	return b.String(), nil
}

// prepared is what the preparing of two executors has in common: the number of
// services that are not ready.
func prepared(s section) section {
	short := section{name: s.name}
	for _, line := range append(append(append(lines{}, s.runner...), s.output...), s.errors...) {
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
var executorLine = regexp.MustCompile(`^(Using (docker image sha256:|helper image: |effective pull policy |default image$)|Container \S+ disconnected from network |WARNING: Starting with version 17\.0 the 'build_script' stage )`)

// tracedLine is printed with CI_DEBUG_TRACE only. Two programs of a pipe are traced
// at the same time, so their lines come in any order; and of two variables the
// job "environment" tells which executor sets which.
var tracedLine = regexp.MustCompile(`^(\+* ?(export )?CI_(SHARED|DISPOSABLE)_ENVIRONMENT=true|\++ echo 'url=http:.*|\++ git credential reject|username=gitlab-ci-token')$`)

// rules are what one line may lose. Each has to be so narrow that no script of
// gitlab-ci.yml prints the like by chance.
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
