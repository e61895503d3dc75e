package credentials

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podman-executor/internal/job"
)

// written returns an auth file of that text and mode.
func written(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "auth.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
	return name
}

func read(t *testing.T, text string) File {
	t.Helper()
	f, err := ReadFile(written(t, text, 0o640))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The order of the sources decides for one path, the longest path for a repository.
func TestFilePrecedence(t *testing.T) {
	file := read(t, fmt.Sprintf(`{"auths": {"r.example.org": {"auth": %q}, "r.example.org/team": {"username": "file", "password": "team"}, "https://index.docker.io/v1/": {"auth": %q, "identitytoken": "t"}}}`,
		b64("file:file"), b64("file:docker")))
	s, notices := Collect(auths("r.example.org/team", "own:own"), file, []job.Credential{
		{URL: "r.example.org", Username: "gitlab", Password: "gitlab"},
		{URL: "g.example.org", Username: "gitlab", Password: "gitlab"},
	})
	want := map[string]string{
		"r.example.org": b64("file:file"), "r.example.org/team": b64("own:own"),
		"docker.io": b64("file:docker"), "g.example.org": b64("gitlab:gitlab"),
	}
	if diff := cmp.Diff(want, s.values()); diff != "" || notices != nil || s.entries["docker.io"].IdentityToken != "t" {
		t.Errorf("%q (-want +got):\n%s", notices, diff)
	}
	for repository, want := range map[string]string{
		"r.example.org/team/app": "r.example.org/team", "r.example.org/team": "r.example.org/team", "r.example.org/teams/app": "r.example.org",
		"docker.io/library/debian": "docker.io", "r.example.org.evil.io/team": "", "example.org/x": "",
	} {
		if path, ok := s.longest(repository); path != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", repository, path, ok, want)
		}
	}
}

// podman asks a registry's helper first, so it is written only where it is the one
// that counts.
func TestFileHelpers(t *testing.T) {
	file := read(t, `{"credsStore": "store", "credHelpers": {"r.example.org": "helper", "other.example.org": "other"}, "auths": {"s.example.org": {}, "other.example.org": {}}}`)
	s, _ := Collect(auths("r.example.org/team", "u:p"), file, []job.Credential{{URL: "r.example.org", Username: "g", Password: "g"}})
	const others = `"other.example.org":"other"`
	auth := fmt.Sprintf(`{"auths":{"r.example.org/team":{"auth":%q}},"credHelpers":{`, b64("u:p"))
	for repository, want := range map[string]string{
		"r.example.org/app":      auth + others + `,"r.example.org":"helper","s.example.org":"store"}}`,
		"r.example.org/team/app": auth + others + `,"s.example.org":"store"}}`,
		"s.example.org/app":      auth + others + `,"r.example.org":"helper","s.example.org":"store"}}`,
		"public.example.org/x":   auth + others + `,"r.example.org":"helper","s.example.org":"store"}}`,
	} {
		name, matches, err := s.Write(t.TempDir(), repository)
		text, _ := os.ReadFile(name)
		if err != nil || matches == strings.HasPrefix(repository, "public.") || string(text) != want {
			t.Errorf("%s: %v, %v\n got %s\nwant %s", repository, matches, err, text, want)
		}
	}
	// The job's own credential for the registry comes before the helper.
	s, _ = Collect(auths("r.example.org", "u:p"), file, nil)
	if s.entries["r.example.org"].helper != "" {
		t.Error("the helper comes before DOCKER_AUTH_CONFIG")
	}
}

// Errors about the file show nothing of its content.
func TestFileRefused(t *testing.T) {
	const secret = "s3cr3t"
	const form = ` is not JSON of the form {"auths": {"registry": {"auth": "…"}}}`
	tests := []struct {
		text string
		mode os.FileMode
		want string
	}{
		{secret, 0o600, "FILE" + form},
		{`{"auths": {"r.example.org": {"auth": "` + secret, 0o600, "FILE" + form},
		{`{"auths": {"r.example.org": {"auth": "` + secret + `"}}}`, 0o600, `FILE: auths, "r.example.org": its auth is not base64 of user:password`},
		{auths("user:"+secret+"@r.example.org", "u:p"), 0o600, `FILE: auths, "…@r.example.org": invalid registry name`},
		{auths("r.example.org", "u:"), 0o600, `FILE: auths, "r.example.org": it lacks a user or a password`},
		{`{"credHelpers": {"r.example.org": "../` + secret + `"}}`, 0o600, `FILE: credHelpers, "r.example.org": want the NAME of a program docker-credential-NAME`},
		{`{"credsStore": "a/b", "auths": {"r.example.org": {}}}`, 0o600, `FILE: auths, "r.example.org": want the NAME of a program docker-credential-NAME`},
		{`{"credHelpers": {"r.example.org/team": "x"}}`, 0o600, `FILE: credHelpers, "r.example.org/team": want a registry without a path`},
		{`{}`, 0o604, "open FILE: others can read it, or its group can write to it (mode 0604): want 0600 or 0640"},
		{`{}`, 0o660, "open FILE: others can read it, or its group can write to it (mode 0660): want 0600 or 0640"},
		{strings.Repeat(" ", maxFile+1), 0o600, "open FILE: it is larger than 1 MiB"},
	}
	for _, test := range tests {
		name := written(t, test.text, test.mode)
		_, err := ReadFile(name)
		want := "reading registry_auth_file: " + strings.ReplaceAll(test.want, "FILE", name)
		if err == nil || err.Error() != want || strings.Contains(err.Error(), secret) {
			t.Errorf("%.99s:\n got %v\nwant %s", test.text, err, want)
		}
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{fifo, t.TempDir(), "/nonexistent/auth.json"} {
		if _, err := ReadFile(name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if f := read(t, `{"credsStore": "x", "auths": {}}`); len(f.entries) > 0 {
		t.Errorf("a store that knows no registry: %v", f.entries)
	}
}
