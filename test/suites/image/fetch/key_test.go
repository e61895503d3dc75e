package fetch

import (
	"os/exec"
	"strings"
	"testing"
)

// TestPinnedKey looks at the key as it was when it was taken, and does not begin to fail by itself when it expires,
// in February 2027: builds then say what to do.
func TestPinnedKey(t *testing.T) {
	t.Parallel()
	const fingerprint = "931DA69CFA3AFEBBC97DAA8C6C57C29C6BA75A4E"
	out, err := exec.Command("gpg", "--batch", "--homedir", t.TempDir(), "--faked-system-time", "20261121T000000", "--with-colons", "--show-keys", "../../../../image/build/gitlab-runner.asc").Output()
	if err != nil {
		t.Fatal(err)
	}
	var primaries []string
	signs, inPrimary := false, false
	for line := range strings.Lines(string(out)) {
		field := strings.Split(line, ":")
		switch field[0] {
		case "pub":
			inPrimary, signs = true, field[1] != "e" && field[1] != "r" && strings.Contains(field[11], "s")
		case "fpr":
			if inPrimary {
				primaries = append(primaries, field[9])
			}
			inPrimary = false
		}
	}
	if len(primaries) != 1 || primaries[0] != fingerprint || !signs {
		t.Errorf("keys %q, signs: %v; want %s alone, which signs:\n%s", primaries, signs, fingerprint, out)
	}
}

// TestPinnedKeyIsTaken wants the committed key to be what counts where no other is named.
func TestPinnedKeyIsTaken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	got := install(t, serve(t, s), "", "19.4.0", here)
	if got.status != 1 || !strings.HasPrefix(got.said, "install-gitlab-runner: error: the list of release 19.4.0 is not signed by the pinned key\n") {
		t.Errorf("a list of the test's own key: %+v", got)
	}
}
