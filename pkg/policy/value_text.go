package policy

import (
	"strconv"
	"strings"
)

// IsVariableName reports whether a string is the name of an environment variable.
func IsVariableName(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// ShownVariable returns the name of a job's variable for a message. Names of environment
// variables of at most 200 bytes are unchanged. Anything else is quoted, and cut there.
func ShownVariable(name string) string {
	const most = 200
	if IsVariableName(name) && len(name) <= most {
		return name
	}
	return strconv.Quote(truncate(name, most))
}

func truncate(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
