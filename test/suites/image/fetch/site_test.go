package fetch

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// keyring holds the keys of the test: who signs what is told by the user id.
type keyring struct{ home string }

// The user ids of the keys.
const (
	gitlab   = "gitlab@example.org"   // whose key is pinned
	stranger = "stranger@example.org" // whose key is good, but not pinned
	former   = "former@example.org"   // whose key has expired since
)

// keys makes the keys, once for all tests.
var keys = sync.OnceValues(func() (*keyring, error) {
	// A test's own directory may have a name too long for the socket of gpg-agent.
	home, err := os.MkdirTemp("", "gpg")
	if err != nil {
		return nil, err
	}
	k := &keyring{home: home}
	for id, options := range map[string][]string{
		gitlab:   {"--quick-generate-key", gitlab, "ed25519", "sign", "never"},
		stranger: {"--quick-generate-key", stranger, "ed25519", "sign", "never"},
		former:   {"--faked-system-time", "20200101T000000", "--quick-generate-key", former, "ed25519", "sign", "1y"},
	} {
		if _, err := k.gpg(nil, append([]string{"--passphrase", ""}, options...)...); err != nil {
			return k, fmt.Errorf("making the key of %s: %w", id, err)
		}
	}
	return k, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if k, _ := keys(); k != nil {
		_ = exec.Command("gpgconf", "--homedir", k.home, "--kill", "all").Run()
		_ = os.RemoveAll(k.home)
	}
	os.Exit(status)
}

func (k *keyring) gpg(stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.Command("gpg", append([]string{"--batch", "--quiet", "--homedir", k.home}, args...)...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("gpg %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out, nil
}

// sign makes a detached signature. The key that has expired signed when it had not.
func (k *keyring) sign(t *testing.T, who string, content []byte) []byte {
	t.Helper()
	args := []string{"--local-user", who, "--armor", "--detach-sign"}
	if who == former {
		args = append([]string{"--faked-system-time", "20200201T000000"}, args...)
	}
	signature, err := k.gpg(content, args...)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// export writes a public key, as GitLab publishes its own.
func (k *keyring) export(t *testing.T, who string) string {
	t.Helper()
	public, err := k.gpg(nil, "--armor", "--export", who)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, filepath.Join(t.TempDir(), "key.asc"), public)
}

// site is what the bucket and the API serve: files by their path.
type site struct {
	keys  *keyring
	files map[string][]byte
}

func newSite(t *testing.T) *site {
	t.Helper()
	k, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{keys: k, files: map[string][]byte{}}
	s.publish(t, "19.3.0", gitlab)
	s.publish(t, "19.4.0", gitlab)
	s.files["/releases"] = []byte(`[
		{"tag_name": "v19.10.0", "upcoming_release": true},
		{"tag_name": "v18.11.7", "upcoming_release": false},
		{"tag_name": "v19.4.0", "upcoming_release": false},
		{"tag_name": "v19.4.1-rc1", "upcoming_release": false},
		{"tag_name": "v19.3.0", "upcoming_release": false}]`)
	return s
}

// publish puts a release's files in place.
func (s *site) publish(t *testing.T, version, signer string) {
	t.Helper()
	var list bytes.Buffer
	for _, architecture := range []string{"amd64", "arm64", "ppc64le", "riscv64", "s390x"} {
		path := "binaries/gitlab-runner-linux-" + architecture
		content := program(version, architecture)
		s.files["/v"+version+"/"+path] = content
		fmt.Fprintf(&list, "%x *%s\n%x *%s-fips\n", sha256.Sum256(content), path, sha256.Sum256(nil), path)
	}
	s.list(t, version, list.Bytes(), signer)
}

// list puts a list of checksums in place, and its signature.
func (s *site) list(t *testing.T, version string, list []byte, signer string) {
	t.Helper()
	s.files["/v"+version+"/release.sha256"] = list
	s.files["/v"+version+"/release.sha256.asc"] = s.keys.sign(t, signer, list)
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if content, ok := s.files[r.URL.Path]; ok {
		_, _ = w.Write(content)
		return
	}
	http.NotFound(w, r)
}

// program plays a gitlab-runner, one per version and architecture. It runs everywhere.
func program(version, architecture string) []byte {
	return fmt.Appendf(nil, "#!/bin/sh\n# for %s\nprintf 'Version:      %s\\nGit revision: 0123abcd\\n'\n", architecture, version)
}

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func write(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
