// Package preflight checks whether a machine can run jobs, before a job fails halfway. Each
// check is a function of plain data; other functions read the machine. prepare runs the cheap
// checks for every job, `podman-executor-config --doctor` runs all of them.
package preflight

import "strings"

// Level is how a check ended.
type Level int

// The levels, the worst last.
const (
	OK Level = iota
	// Warning is something to fix, although jobs can run.
	Warning
	// Error is something that keeps jobs from running.
	Error
)

// String returns the level as the table has it.
func (l Level) String() string { return [...]string{"ok", "warning", "error"}[l] }

// Result is how one check ended.
type Result struct {
	// Check is its name: one or two words.
	Check string
	Level Level
	// Detail is what was found.
	Detail string
	// Hint is what the administrator can do; empty if all is well.
	Hint string
}

// Worst returns the worst level of a list.
func Worst(results []Result) Level {
	worst := OK
	for _, r := range results {
		worst = max(worst, r.Level)
	}
	return worst
}

// list joins words as "a, b and c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
