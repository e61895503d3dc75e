package policy

import (
	"strings"
	"testing"
)

// FuzzVariableName: the name of a variable in a message is a name, or in quotes, and short.
func FuzzVariableName(f *testing.F) {
	f.Add("USER_VOLUMES")
	f.Fuzz(func(t *testing.T, name string) {
		shown := ShownVariable(name)
		if len(shown) > 1000 || strings.ContainsAny(shown, "\n\r\x1b\u2028") {
			t.Errorf("%q is shown as %q", name, shown)
		}
		if plain := shown == name; plain != (IsVariableName(name) && len(name) <= 200) {
			t.Errorf("%q is shown as %q", name, shown)
		}
	})
}
