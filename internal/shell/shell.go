// Package shell makes programs for `sh` from the files that this project embeds. In a file
// they are text that shellcheck reads, with comments; in a command line they are short.
package shell

import "strings"

// Program returns the text of a file without blank lines and without lines that have only a
// comment; a first line with `#!` stays. So no string in the file may contain such lines.
//
// values are pairs: a name in the file, such as "@DIR@", and the text that replaces it. The
// text is not quoted, and names in it are not replaced.
func Program(file string, values ...string) string {
	var program strings.Builder
	for line := range strings.Lines(file) {
		code := strings.TrimLeft(line, " \t\n")
		comment := strings.HasPrefix(code, "#") && !strings.HasPrefix(line, "#!")
		if code != "" && !comment {
			program.WriteString(line)
		}
	}
	return strings.NewReplacer(values...).Replace(program.String())
}
