// Package fault knows what podman and its helpers say when something is wrong, and for each of
// these faults what is wrong, who can fix it and how. Its rows are the only place for such words;
// pkg/podman knows only those that decide what it does itself, such as trying again.
//
// The words of each row were seen: files in testdata hold what podman 4.3.1 and 5.4.2 said when
// the fault was made on purpose (test/scripts/faults). A row that could not be made names its
// source instead. docs/troubleshooting.md is generated from the rows.
//
//go:generate go run podman-executor/internal/docs troubleshooting ../../docs/troubleshooting.md
package fault

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"podman-executor/pkg/podman"
)

// Whose is who can fix a fault.
type Whose int

const (
	// Administrators is for faults of the machine, of podman or its settings.
	Administrators Whose = iota
	// Authors is for what a job asks for in .gitlab-ci.yml, and for its images. A retry does not
	// help. If the policy names the image, it is the administrator's.
	Authors
	// Passing is for shortages and outages that may be over soon.
	Passing
)

// String returns the word for a table.
func (w Whose) String() string {
	return [...]string{"administrator", "job author", "administrator, if it lasts"}[w]
}

// Row is one kind of fault.
type Row struct {
	// Name is the anchor in docs/troubleshooting.md.
	Name  string
	Whose Whose
	// Says is a regular expression for podman's standard error, without regard to case.
	Says string
	// Verbs are the podman commands that can say it; none: any of them.
	Verbs []string
	// Errno are errors of the driver's own system calls with the same cause.
	Errno []syscall.Errno
	// Cause is what is wrong, and Cure what to do about it. $1 is what the first group of Says
	// has matched.
	Cause, Cure string
	// Fixtures are the files in testdata, without version and extension, and Versions those of
	// podman that were seen to say it.
	Fixtures, Versions []string
	// Words and Source are, for a row without fixtures, an example and where it comes from.
	Words, Source string
}

// The podman commands that make or start a container, and the one that pulls an image.
var (
	starts = []string{"create", "run", "start", "init"}
	pulls  = []string{"image pull"}
)

// Fault is a row that fits an error.
type Fault struct {
	Row
	// Cause and Cure are those of the row, with the names from the error.
	Cause, Cure string
}

// Hint returns the text of a hint line for who can fix the fault.
func (f Fault) Hint() string { return f.Cause + ": " + f.Cure }

// Group is rows of one subject.
type Group struct {
	Title string
	Rows  []Row
}

// Groups returns all rows, in the order in which they are tried.
func Groups() []Group {
	return []Group{
		{"Images", imageRows},
		{"Programs and devices of the host", helperRows},
		{"Limits of the machine", limitRows},
		{"The user and its namespaces", namespaceRows},
		{"Registries", registryRows},
		{"Cgroups", cgroupRows},
		{"Storage and settings of podman", storageRows},
	}
}

// Rows returns the rows of all groups.
func Rows() (list []Row) {
	for _, g := range Groups() {
		list = append(list, g.Rows...)
	}
	return list
}

// Of returns the fault of an error of podman, or of a system call. It returns false for words
// that no row knows: then only podman's own words are certain.
func Of(err error) (Fault, bool) {
	if err == nil {
		return Fault{}, false
	}
	var exit *podman.ExitError
	if errors.As(err, &exit) {
		return find(exit.Verb, exit.Stderr)
	}
	for _, r := range Rows() {
		if slices.ContainsFunc(r.Errno, func(e syscall.Errno) bool { return errors.Is(err, e) }) {
			return r.fault(r.Cause, r.Cure), true
		}
	}
	return Fault{}, false
}

// Starting returns the fault for what `podman run` has written to standard error.
func Starting(stderr string) (Fault, bool) { return find("run", stderr) }

func find(verb, stderr string) (Fault, bool) {
	for _, r := range Rows() {
		if len(r.Verbs) > 0 && !slices.Contains(r.Verbs, verb) {
			continue
		}
		says := regexp.MustCompile("(?i)" + r.Says)
		match := says.FindStringSubmatchIndex(stderr)
		if match == nil {
			continue
		}
		fill := func(text string) string { return string(says.ExpandString(nil, text, plain(stderr, match), match)) }
		return r.fault(fill(r.Cause), fill(r.Cure)), true
	}
	return Fault{}, false
}

// plain returns what podman said, without what a shell would read as more than a word in the parts
// that have matched: an administrator types hints. Words of a registry, an image or a job can be
// among them.
func plain(stderr string, match []int) string {
	said := []byte(stderr)
	for i := 2; i < len(match); i += 2 {
		for k := max(match[i], 0); k < match[i+1]; k++ {
			if strings.IndexByte("`$;&|<>(){}[]*?!#~'\"\\ \t\n", said[k]) >= 0 {
				said[k] = '?'
			}
		}
	}
	return string(said)
}

func (r Row) fault(cause, cure string) Fault { return Fault{Row: r, Cause: cause, Cure: cure} }
