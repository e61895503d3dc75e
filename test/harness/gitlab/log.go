package gitlab

import "regexp"

var (
	// Markers of collapsible sections, such as
	// section_start:1700000000:get_sources[collapsed=true]\r\x1b[0K
	// (helpers/build_section.go:19).
	sectionMarker = regexp.MustCompile(`section_(?:start|end):\d+:[A-Za-z0-9_.-]+(?:\[[^\]\r\n]*\])?(?:\r|\x1b\[0K)+`)

	// Colours and erasures; the runner uses no others.
	ansiSequence = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

	carriageReturn = regexp.MustCompile(`\r`)
)

// CleanLog strips a trace of section markers, ANSI colours and carriage returns.
func CleanLog(trace []byte) string {
	for _, e := range []*regexp.Regexp{sectionMarker, ansiSequence, carriageReturn} {
		trace = e.ReplaceAll(trace, nil)
	}
	return string(trace)
}
