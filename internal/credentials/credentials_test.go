package credentials

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podman-executor/internal/job"
)

const (
	name     = "DOCKER_AUTH_CONFIG"
	programs = name + ": credsStore and credHelpers are ignored; a job cannot choose programs that run on this host"
	notJSON  = name + ` is ignored: not JSON of the form {"auths": {"registry": {"auth": "…"}}}`
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// auths returns a DOCKER_AUTH_CONFIG with one entry.
func auths(registry, userPassword string) string {
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, registry, b64(userPassword))
}

// values returns the credentials of a set that are no helpers'.
func (s Set) values() map[string]string {
	values := map[string]string{}
	for path, e := range s.entries {
		values[path] = e.Auth
	}
	return values
}

func TestRegistryKeys(t *testing.T) {
	tests := []struct{ key, want string }{
		{"registry.example.org", "registry.example.org"},
		{"Registry.Example.ORG", "registry.example.org"},
		{"registry.example.org:5050", "registry.example.org:5050"},
		{"https://registry.example.org", "registry.example.org"},
		{"http://registry.example.org/", "registry.example.org"},
		{"https://registry.example.org/v2/", "registry.example.org"},
		{"registry.example.org/v1", "registry.example.org"},
		{"registry.example.org/Group/Sub", "registry.example.org/Group/Sub"},
		{"https://index.docker.io/v1/", "docker.io"},
		{"index.docker.io", "docker.io"},
		{"registry-1.docker.io", "docker.io"},
		{"docker.io/group", "docker.io/group"},
		{"index.docker.io/group", "docker.io/group"},
		{"[::1]:5000", "[::1]:5000"},
	}
	for _, test := range tests {
		s, notices := Collect(auths(test.key, "u:p"), File{}, nil)
		want := map[string]string{test.want: b64("u:p")}
		if diff := cmp.Diff(want, s.values()); diff != "" || notices != nil {
			t.Errorf("%q: %q (-want +got):\n%s", test.key, notices, diff)
		}
		s, notices = Collect("", File{}, []job.Credential{{URL: test.key, Username: "u", Password: "p"}})
		if diff := cmp.Diff(want, s.values()); diff != "" || notices != nil {
			t.Errorf("%q from GitLab: %q (-want +got):\n%s", test.key, notices, diff)
		}
	}
}

func TestNoRegistryKeys(t *testing.T) {
	for _, key := range []string{"", "/", "https://", "//x", "a b", "a\nb", "user@host", "host?x", "host#x", `host\x`, `a"b`, "host/a b"} {
		s, notices := Collect("", File{}, []job.Credential{{URL: key, Username: "u", Password: "p"}})
		if len(s.values()) > 0 || !cmp.Equal(notices, []string{"a credential from GitLab is ignored: invalid registry name"}) {
			t.Errorf("%q: %v, %q", key, s, notices)
		}
	}
}

func TestPrecedence(t *testing.T) {
	gitlab := []job.Credential{
		{URL: "registry.example.org", Username: "gitlab-ci-token", Password: "token"},
		{URL: "https://registry.example.org/", Username: "second", Password: "second"},
		{URL: "only.gitlab.org", Username: "g", Password: "g"},
	}
	config := fmt.Sprintf(`{"auths": {"https://REGISTRY.example.org/v2/": {"auth": %q}, "only.docker.org": {"auth": %q}, "registry.example.org/group": {"auth": %q}}}`,
		b64("own:own"), b64("d:d"), b64("path:path"))
	s, notices := Collect(config, File{}, gitlab)
	want := map[string]string{
		"registry.example.org": b64("own:own"), "registry.example.org/group": b64("path:path"),
		"only.docker.org": b64("d:d"), "only.gitlab.org": b64("g:g"),
	}
	if diff := cmp.Diff(want, s.values()); diff != "" || notices != nil {
		t.Errorf("%q (-want +got):\n%s", notices, diff)
	}
	s, _ = Collect("", File{}, gitlab)
	if got := s.entries["registry.example.org"].Auth; got != b64("gitlab-ci-token:token") {
		t.Errorf("of GitLab's own credentials the first counts, got %q", got)
	}
}

func TestPasswords(t *testing.T) {
	tests := []struct{ entry, want string }{
		{fmt.Sprintf(`{"auth": %q}`, b64("u:p:with:colons")), "u:p:with:colons"},
		{fmt.Sprintf(`{"auth": %q}`, b64("u:p\x00\x00")), "u:p"}, // as docker does
		{`{"username": "u", "password": "p"}`, "u:p"},
		{fmt.Sprintf(`{"auth": %q, "username": "x", "password": "y"}`, b64("u:p")), "u:p"},
		{fmt.Sprintf(`{"auth": %q, "email": "x", "identitytoken": "t"}`, b64("u:p")), "u:p"},
		{fmt.Sprintf(`{"auth": %q}`, b64("u:pä\n\"")), "u:pä\n\""},
	}
	for _, test := range tests {
		s, notices := Collect(`{"auths": {"r.example.org": `+test.entry+`}}`, File{}, nil)
		if got := s.entries["r.example.org"].Auth; got != b64(test.want) || notices != nil {
			t.Errorf("%s: %q, %q", test.entry, got, notices)
		}
	}
}

func TestNotices(t *testing.T) {
	const secret = "s3cr3t"
	unused := func(why string) string { return name + `: the entry "r.example.org" is ignored: ` + why }
	const noAuth, noPassword = "its auth is not base64 of user:password", "it lacks a user or a password"
	tests := []struct{ config, want string }{
		{`{"credsStore": "` + secret + `"}`, programs},
		{`{"credHelpers": {"r.example.org": "` + secret + `"}}`, programs},
		{`{"credHelpers": {"r.example.org": "../../` + secret + `"}, "auths": {}}`, programs},
		{`{"credHelpers": {}, "credsStore": ""}`, ""},
		{`{}`, ""},
		{`null`, ""},
		{secret, notJSON},
		{`{"auths": {"r.example.org": {"auth": "` + secret, notJSON},
		{`{"auths": "` + secret + `"}`, notJSON},
		{`{"auths": {"r.example.org": "` + secret + `"}}`, notJSON},
		{`{"auths": {"r.example.org": {"auth": 5}}}`, notJSON},
		{`{"credHelpers": "` + secret + `"}`, notJSON},
		{`{"auths": {}} ` + secret, notJSON},
		{`["` + secret + `"]`, notJSON},
		{`{"auths": {"r.example.org": {"auth": "` + secret + `!"}}}`, unused(noAuth)},
		{auths("r.example.org", secret), unused(noAuth)},
		{auths("r.example.org", ":"+secret), unused(noPassword)},
		{auths("r.example.org", secret+":"), unused(noPassword)},
		{`{"auths": {"r.example.org": null}}`, unused(noPassword)},
		{`{"auths": {"r.example.org": {}}}`, unused(noPassword)},
		{`{"auths": {"r.example.org": {"identitytoken": "` + secret + `"}}}`, unused(noPassword)},
		{auths("https://user:"+secret+"@r.example.org", "u:"+secret), name + `: the entry "…@r.example.org" is ignored: invalid registry name`},
		{auths("user:"+secret+"@"+secret+"@r.example.org", secret), name + `: the entry "…@r.example.org" is ignored: its auth is not base64 of user:password`},
		{auths("a\nb", "u:"+secret), name + `: the entry "a\nb" is ignored: invalid registry name`},
		{auths(strings.Repeat("ä", 999)+" ", "u:"+secret), name + `: the entry "` + strings.Repeat("ä", 50) + `…" is ignored: invalid registry name`},
	}
	for _, test := range tests {
		s, notices := Collect(test.config, File{}, nil)
		if got := strings.Join(notices, "\n"); got != test.want || len(s.values()) > 0 {
			t.Errorf("%.200s:\n got %s\nwant %s", test.config, got, test.want)
		}
		if strings.Contains(strings.Join(notices, ""), secret) {
			t.Errorf("%.200s: a secret in %q", test.config, notices)
		}
	}
}

func TestNoticesOfGitLabsOwn(t *testing.T) {
	tests := []struct {
		credential job.Credential
		want       string
	}{
		{job.Credential{URL: "https://user:s3cr3t@r.example.org", Username: "u", Password: "p"}, "a credential from GitLab is ignored: invalid registry name"},
		{job.Credential{URL: "r.example.org", Password: "s3cr3t"}, "a credential from GitLab is ignored: it lacks a user or a password"},
		{job.Credential{URL: "r.example.org", Username: "s3cr3t"}, "a credential from GitLab is ignored: it lacks a user or a password"},
	}
	for _, test := range tests {
		if s, notices := Collect("", File{}, []job.Credential{test.credential}); len(s.values()) > 0 || !cmp.Equal(notices, []string{test.want}) {
			t.Errorf("%+v: %q", test.credential, notices)
		}
	}
}

// A bad entry, or a bad variable, does not affect the rest.
func TestTheRestIsUsed(t *testing.T) {
	gitlab := []job.Credential{{URL: "g.example.org", Username: "g", Password: "g"}}
	config := fmt.Sprintf(`{"credsStore": "x", "credHelpers": {"a": "b"}, "auths": {"z.example.org": {"auth": "?"}, "b.example.org": {"auth": %q}, "a.example.org": {}}}`, b64("u:p"))
	s, notices := Collect(config, File{}, gitlab)
	want := []string{
		programs,
		name + `: the entry "a.example.org" is ignored: it lacks a user or a password`,
		name + `: the entry "z.example.org" is ignored: its auth is not base64 of user:password`,
	}
	if diff := cmp.Diff(want, notices); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"b.example.org": b64("u:p"), "g.example.org": b64("g:g")}, s.values()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s, _ := Collect("not JSON", File{}, gitlab); len(s.values()) != 1 {
		t.Errorf("%v", s.values())
	}
}

func TestSizeOfConfig(t *testing.T) {
	config := auths("r.example.org", "u:p")
	s, notices := Collect(config+strings.Repeat(" ", maxConfig-len(config)), File{}, nil)
	if len(s.values()) == 0 || notices != nil {
		t.Errorf("%d bytes: %v, %q", maxConfig, s, notices)
	}
	s, notices = Collect(config+strings.Repeat(" ", maxConfig-len(config)+1), File{}, nil)
	if len(s.values()) > 0 || !cmp.Equal(notices, []string{name + " is ignored: larger than 64 KiB"}) {
		t.Errorf("%d bytes: %v, %q", maxConfig+1, s, notices)
	}
}

func TestWrite(t *testing.T) {
	filled, _ := Collect(fmt.Sprintf(`{"credsStore": "x", "auths": {"b.example.org": {"auth": %q, "identitytoken": "t"}, "A.example.org/x": {"username": "a", "password": "<&>"}}}`, b64("u:p")), File{}, nil)
	empty, _ := Collect("", File{}, nil)
	tests := []struct {
		set  Set
		want string
	}{
		{filled, fmt.Sprintf(`{"auths":{"a.example.org/x":{"auth":%q},"b.example.org":{"auth":%q}}}`, b64("a:<&>"), b64("u:p"))},
		{empty, `{"auths":{}}`},
		{Set{}, `{"auths":{}}`},
	}
	for _, test := range tests {
		dir := t.TempDir()
		file, _, err := test.set.Write(dir, "r.example.org/x")
		if err != nil || file != filepath.Join(dir, "auth.json") {
			t.Fatalf("%q, %v", file, err)
		}
		text, err := os.ReadFile(file)
		if err != nil || string(text) != test.want {
			t.Errorf("%s, %v, want %s", text, err, test.want)
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
		}
	}
	if _, _, err := filled.Write(filepath.Join(t.TempDir(), "none"), "x"); err == nil || !strings.HasPrefix(err.Error(), "writing the auth file: ") {
		t.Errorf("into no directory: %v", err)
	}
}

// FuzzAuthConfig: any DOCKER_AUTH_CONFIG yields only names and passwords for clean registry
// paths, and no program. The auth file is JSON with only these, and the notices are short lines
// without control characters.
func FuzzAuthConfig(f *testing.F) {
	f.Add(auths("r.example.org", "u:p"), "r.example.org")
	f.Add(`{"credHelpers": {"a": "b"}}`, "https://index.docker.io/v1/")
	f.Add(`{"auths": {"u:p@h": {}}}`, "a//b")
	f.Fuzz(func(t *testing.T, config, url string) {
		s, notices := Collect(config, File{}, []job.Credential{{URL: url, Username: "u", Password: "p"}})
		for key, value := range s.values() {
			decoded, err := base64.StdEncoding.DecodeString(value)
			if err != nil || !strings.Contains(string(decoded), ":") || key == "" || strings.ContainsAny(key, "@ \n\"") {
				t.Errorf("%q, %q: %q, %q", config, url, key, decoded)
			}
		}
		for _, n := range notices {
			if strings.ContainsAny(n, "\n\x1b") || len(n) > 1000 {
				t.Errorf("%q, %q: %q", config, url, n)
			}
		}
		file, _, err := s.Write(t.TempDir(), "r.example.org/group/app")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil || !json.Valid(text) || bytes.Contains(text, []byte(`"credHelpers"`)) || bytes.Contains(text, []byte(`"credsStore"`)) {
			t.Errorf("%q, %v", text, err)
		}
		var inFile struct{ Auths map[string]any }
		if err := json.Unmarshal(text, &inFile); err != nil || len(inFile.Auths) != len(s.values()) {
			t.Errorf("%q holds other credentials, %v", text, err)
		}
	})
}
