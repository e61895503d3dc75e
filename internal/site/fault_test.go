package site

import (
	"errors"
	"fmt"
	"testing"

	"podman-executor/internal/driver"
	"podman-executor/pkg/podman"
)

func TestJudge(t *testing.T) {
	said := func(text string) error {
		return fmt.Errorf("starting: %w", &podman.ExitError{Verb: "run", Code: 126, Stderr: text})
	}
	noUser := said("unable to find user x: no matching entries in passwd file")
	noConmon := said("could not find a working conmon binary")
	tests := []struct {
		name, place string
		err         error
		author      bool
		hint        string
	}{
		{"the author's", "", noUser, true, "the image has no user `x` in its /etc/passwd: fix `docker: user:` in .gitlab-ci.yml, or USER where the image is built; a number needs no entry"},
		{"the author's, of an image of the policy", "p.toml:6", noUser, false, "the image has no user `x` in its /etc/passwd: check p.toml:6"},
		{"the administrator's", "", noConmon, false, "this host has no `conmon`, the program that watches over each container: install it (Debian: `apt install conmon`, Fedora: `dnf install conmon`)"},
		{"unknown", "p.toml:6", said("out of tune"), false, "run it"},
		{"unknown, with a hint of its own", "", &driver.Fault{Err: errors.New("x"), Hint: "own"}, false, "own"},
	}
	for _, test := range tests {
		err := Judge(test.err, test.place, "run it")
		var refusal *driver.Refusal
		if author := errors.As(err, &refusal); author != test.author || driver.Hint(err) != test.hint || !errors.Is(err, test.err) {
			t.Errorf("%s: author: %v, hint: %s", test.name, author, driver.Hint(err))
		}
	}
	if hint := Explain(noUser); hint != "" {
		t.Errorf("Explain does not know whose image it is, and says: %s", hint)
	}
	if hint := Explain(noConmon); hint != tests[2].hint {
		t.Errorf("Explain: %s", hint)
	}
}
