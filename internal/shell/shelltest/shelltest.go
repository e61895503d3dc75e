// Package shelltest looks into shell programs, for tests.
package shelltest

import (
	"regexp"
	"slices"
	"strings"
)

// assigned finds variables that a program sets, loops over or reads.
var assigned = regexp.MustCompile(`\b([A-Za-z_]\w*)=|\bfor (\w+)\b|\bread (?:-r )?((?:[a-z_]+ ?)+)`)

// Variables returns the names of the variables that a program sets, but for those that every
// shell has. An image may have variables of the same names in its environment.
func Variables(program string) []string {
	var names []string
	for _, m := range assigned.FindAllStringSubmatch(program, -1) {
		names = append(names, strings.Fields(m[1]+" "+m[2]+" "+m[3])...)
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return name == "PATH" || name == "IFS" || name == "_" || strings.HasPrefix(name, "GIT_")
	})
	slices.Sort(names)
	return slices.Compact(names)
}
