package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"podman-executor/internal/fault"
	"podman-executor/pkg/podman"
)

// troubleshootingText is the page around the rows, which replace rowsMark.
//
//go:embed troubleshooting.md
var troubleshootingText []byte

const rowsMark = "<!-- rows -->\n"

// faultPackage has the rows, and in testdata what podman said.
const faultPackage = "podman-executor/internal/fault"

var (
	// longID is an id as podman prints it, and unique what else differs from time to time.
	longID = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	unique = regexp.MustCompile(`(metacopy-check|\.tmp-f)[0-9]+`)
	// logged is a line of podman's log.
	logged = regexp.MustCompile(`\Atime="[^"]*" level=\w+ msg="(.*)"\z`)
)

// shown returns what podman says as the page has it.
func shown(text string) string {
	text = logged.ReplaceAllString(text, "$1")
	return longID.ReplaceAllString(unique.ReplaceAllString(text, "${1}…"), "ID")
}

// ownCase are names that begin a sentence as they are.
var ownCase = regexp.MustCompile(`\A(gitlab-runner|netavark)\b`)

func troubleshootingPage() ([]byte, error) {
	source, err := build.Import(faultPackage, ".", build.FindOnly)
	if err != nil {
		return nil, err
	}
	head, tail, ok := bytes.Cut(troubleshootingText, []byte(rowsMark))
	if !ok {
		return nil, fmt.Errorf("troubleshooting.md has no line %q", strings.TrimSpace(rowsMark))
	}
	page := bytes.NewBuffer(bytes.Clone(head))
	for _, group := range fault.Groups() {
		fmt.Fprintf(page, "## %s\n\n", group.Title)
		for _, row := range group.Rows {
			symptoms, err := symptomsOf(row, filepath.Join(source.Dir, "testdata"))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", row.Name, err)
			}
			renderRow(page, row, symptoms)
		}
	}
	page.Write(tail)
	return page.Bytes(), nil
}

// symptom is what podman says about a fault, and the command that says it.
type symptom struct{ verb, text string }

// symptomsOf returns what podman says about a row, newer versions last.
func symptomsOf(row fault.Row, dir string) (list []symptom, err error) {
	if row.Words != "" {
		return []symptom{{append(row.Verbs, "run")[0], row.Words}}, nil
	}
	for _, name := range row.Fixtures {
		for _, version := range row.Versions {
			text, err := os.ReadFile(filepath.Join(dir, name+"-"+version+".txt"))
			if os.IsNotExist(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			s := symptomIn(row, string(text))
			if !slices.ContainsFunc(list, func(other symptom) bool { return shown(other.text) == shown(s.text) }) {
				list = append(list, s)
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no fixtures in %s", dir)
	}
	return list, nil
}

// symptomIn returns the line of a fixture that leads to the row, the last one if there are
// several, or all of them together.
func symptomIn(row fault.Row, fixture string) symptom {
	lines := strings.Split(strings.TrimSpace(fixture), "\n")
	verb := strings.TrimPrefix(lines[0], "$ podman ")
	lines = lines[1 : len(lines)-1]
	for _, line := range slices.Backward(lines) {
		line = strings.TrimPrefix(line, "Error: ")
		if f, _ := fault.Of(&podman.ExitError{Verb: verb, Stderr: line}); f.Name == row.Name {
			return symptom{verb, line}
		}
	}
	return symptom{verb, strings.Join(lines, "; ")}
}

func renderRow(page *bytes.Buffer, row fault.Row, symptoms []symptom) {
	fmt.Fprintf(page, "### %s\n\n```\n", row.Name)
	for _, s := range symptoms {
		page.WriteString(shown(s.text) + "\n")
	}
	page.WriteString("```\n\n")
	f, _ := fault.Of(&podman.ExitError{Verb: symptoms[0].verb, Stderr: symptoms[0].text})
	seen := "podman " + strings.Join(row.Versions, " and ")
	if row.Source != "" {
		seen = "not made here; the words are from " + row.Source
	}
	cause := f.Cause
	if !ownCase.MatchString(cause) {
		cause = capital(cause)
	}
	fmt.Fprintf(page, "%s. **Fix** (%s): %s. *Seen: %s.*\n\n", cause, row.Whose, f.Cure, seen)
}
