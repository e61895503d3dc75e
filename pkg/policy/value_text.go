package policy

import (
	"strconv"
	"strings"
)

// IsVariableName tells whether a string is the name of an environment variable.
func IsVariableName(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// ShownVariable returns the name of a variable of a job's for a message: a name of an
// environment variable as it is, anything else in quotes, and what is too long cut.
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
