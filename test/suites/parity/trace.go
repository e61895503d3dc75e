package main

import (
	"fmt"
	"regexp"
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
