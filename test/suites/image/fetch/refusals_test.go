package fetch

import (
	"bytes"
	"strings"
	"testing"
)

// What the errors and hints have in common.
const (
	base     = "/v19.4.0/"
	page     = "https://gitlab.com/gitlab-org/gitlab-runner/-/releases"
	keyPage  = "https://docs.gitlab.com/runner/install/linux-repository/#current-gpg-public-key"
	who      = "check which server answers at URL"
	noBinary = "the list of release 19.4.0 has no checksum of binaries/gitlab-runner-linux-HERE"
)

// path is where the program of the release is that the tests ask for.
var path = base + "binaries/gitlab-runner-linux-" + here

// refusals are the ways to spoil the site, or to ask for what it has not.
var refusals = []struct {
	name    string
	pinned  string // whose key; gitlab's where empty
	args    []string
	spoil   func(*testing.T, *site)
	message string
	hints   []string
}{
	{
		name:    "program tampered with",
		spoil:   func(_ *testing.T, s *site) { s.files[path] = append(s.files[path], "# more\n"...) },
		message: "URL" + path + " is not what GitLab signed: its sha256 is SPOILT, want GOOD",
		hints:   []string{"the download was changed or cut short: try again, then " + who},
	},
	{
		name: "list tampered with",
		spoil: func(_ *testing.T, s *site) {
			s.files[base+"release.sha256"] = append(s.files[base+"release.sha256"], "more\n"...)
		},
		message: "the list of release 19.4.0 is not what was signed",
		hints:   []string{"something changed it on the way: " + who},
	},
	{
		name:    "list signed by another key",
		spoil:   func(t *testing.T, s *site) { s.publish(t, "19.4.0", stranger) },
		message: "the list of release 19.4.0 is not signed by the pinned key",
		hints:   []string{"where GitLab has a new key, " + keyPage + " says so: put it at image/build/gitlab-runner.asc", "otherwise " + who},
	},
	{
		name: "list signed by the pinned and by another key",
		spoil: func(t *testing.T, s *site) {
			list := s.files[base+"release.sha256"]
			s.files[base+"release.sha256.asc"] = append(s.files[base+"release.sha256.asc"], s.keys.sign(t, stranger, list)...)
		},
		message: "the list of release 19.4.0 is not signed by the pinned key",
		hints:   []string{"where GitLab has a new key, " + keyPage + " says so: put it at image/build/gitlab-runner.asc", "otherwise " + who},
	},
	{
		name:    "no signature in the file",
		spoil:   func(_ *testing.T, s *site) { s.files[base+"release.sha256.asc"] = nil },
		message: "the list of release 19.4.0 has no good signature: GPGV",
		hints:   []string{who},
	},
	{
		name:    "expired key",
		pinned:  former,
		spoil:   func(t *testing.T, s *site) { s.publish(t, "19.4.0", former) },
		message: "the pinned key has expired",
		hints: []string{
			"GitLab extends its key each year: fetch it again, compare the fingerprint with the one at " + keyPage,
			"and put it at image/build/gitlab-runner.asc, or name the file in GITLAB_RUNNER_KEY",
		},
	},
	{
		name:    "older release replayed",
		spoil:   replay,
		message: "what lies at URL/v19.4.0 is release 19.3.0",
		hints:   []string{"it is properly signed but a different release: " + who},
	},
	{
		name:    "older release replayed, for another architecture",
		args:    []string{"19.4.0", elsewhere},
		spoil:   replay,
		message: "what lies at URL/v19.4.0 is release 19.3.0",
		hints:   []string{"it is properly signed but a different release: " + who},
	},
	{
		name: "no line for the architecture",
		spoil: func(t *testing.T, s *site) {
			list := bytes.ReplaceAll(s.files[base+"release.sha256"], []byte("-"+here+"\n"), []byte("-other\n"))
			s.list(t, "19.4.0", list, gitlab)
		},
		message: noBinary,
		hints:   []string{"choose another version of " + page},
	},
	{
		name: "two lines for the architecture",
		spoil: func(t *testing.T, s *site) {
			s.list(t, "19.4.0", bytes.Repeat(s.files[base+"release.sha256"], 2), gitlab)
		},
		message: noBinary,
		hints:   []string{"choose another version of " + page},
	},
	{
		name:    "listed but not there",
		spoil:   func(_ *testing.T, s *site) { delete(s.files, path) },
		message: "there is no URL" + path + ", though the list of that release has it",
		hints:   []string{"a mirror may be incomplete: try again without it"},
	},
	{
		name:    "unknown architecture",
		args:    []string{"19.4.0", "mips64"},
		message: `there is no gitlab-runner for TARGETARCH "mips64"`,
		hints:   []string{"gitlab-runner exists for: 386 amd64 arm arm64 loong64 ppc64le riscv64 s390x"},
	},
	{
		name:    "no such release",
		args:    []string{"19.9.9", here},
		message: "there is no release 19.9.9 at URL/v19.9.9",
		hints:   []string{"the releases are listed at " + page},
	},
	{
		name:    "not a version",
		args:    []string{"../main", here},
		message: `"../main" is not a version`,
		hints:   []string{"want latest or one of " + page + ", such as 19.4.0"},
	},
	{
		name:    "no releases",
		args:    []string{"latest", here},
		spoil:   func(_ *testing.T, s *site) { s.files["/releases"] = []byte("[]") },
		message: "the list at URL/releases names no release",
		hints:   []string{"name a version, such as 19.4.0"},
	},
	{
		name:    "no list of releases",
		args:    []string{"latest", here},
		spoil:   func(_ *testing.T, s *site) { delete(s.files, "/releases") },
		message: "there is no list of releases at URL/releases",
		hints:   []string{"name a version, or the right list in GITLAB_RUNNER_RELEASES"},
	},
}

// replay serves the files of an older release, properly signed, under the path of a newer one.
func replay(_ *testing.T, s *site) {
	for path, content := range s.files {
		if rest, ok := strings.CutPrefix(path, "/v19.3.0/"); ok {
			s.files["/v19.4.0/"+rest] = content
		}
	}
}
