package shell

import "testing"

func TestProgram(t *testing.T) {
	const file = `#!/bin/sh
# shellcheck disable=SC2034

# @DIR@ is a comment
cd @DIR@ || exit # not only a comment
	# shown to readers
	echo "$#" "${word##*/}" '#' \
		@WORD@
`
	const want = `#!/bin/sh
cd '/a @WORD@' || exit # not only a comment
	echo "$#" "${word##*/}" '#' \
		# b
`
	if got := Program(file, "@DIR@", "'/a @WORD@'", "@WORD@", "# b"); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if got := Program("# shellcheck shell=sh\n#\n\n:"); got != ":" {
		t.Errorf("got %q", got)
	}
}
