package podman

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNewSecretArgs(t *testing.T) {
	for _, test := range []struct {
		secret NewSecret
		want   string
	}{
		{NewSecret{Name: "n", Value: []byte("value")}, "secret create --driver file -- n -"},
		{NewSecret{Name: "n", Dir: "/d/e"}, "secret create --driver file --driver-opts path=/d/e -- n -"},
		{NewSecret{Name: "n", Labels: map[string]string{"b": "2", "a": "1"}}, "secret create --driver file --label a=1 --label b=2 -- n -"},
	} {
		if got := strings.Join(test.secret.Args(), " "); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// The value is podman's standard input, byte for byte, and nowhere else.
func TestCreateSecret(t *testing.T) {
	value := []byte("\n\n LD_PRELOAD=/x\r\n\xc3\xa4\n")
	p, dir := fake(t, "environment")
	if err := p.CreateSecret(t.Context(), NewSecret{Name: "n", Value: value}); err != nil {
		t.Fatal(err)
	}
	seen, err := os.ReadFile(filepath.Join(dir, "environment"))
	want := fmt.Sprintf("%s\n/\n%q\n0\n%q\n", p.Env, value, NewSecret{Name: "n"}.Args())
	if err != nil || string(seen) != want {
		t.Errorf("got %s\nwant %s (%v)", seen, want, err)
	}
	if bytes.Count(seen, []byte("LD_PRELOAD")) != 1 {
		t.Errorf("the value is also elsewhere: %s", seen)
	}
}

// One that an earlier attempt has left is removed first, but only then.
func TestCreateSecretAgain(t *testing.T) {
	p, calls := answers(t, map[string]string{"secret-create.exit": "125", "secret-create.stderr": "Error: n: secret name in use\n"})
	if err := p.CreateSecret(t.Context(), NewSecret{Name: "n", Value: []byte("x")}); err == nil || err.Error() != "podman secret create: exit status 125: n: secret name in use" {
		t.Errorf("got %v", err)
	}
	if want := "secret create --driver file -- n -\nsecret rm -- n\nsecret create --driver file -- n -"; calls() != want {
		t.Errorf("got %s", calls())
	}
	p, calls = answers(t, map[string]string{"secret-create.exit": "125", "secret-create.stderr": "Error: broken\n"})
	if err := p.CreateSecret(t.Context(), NewSecret{Name: "n", Value: []byte("x")}); err == nil || strings.Contains(calls(), "rm") {
		t.Errorf("of a podman that fails: %v, %s", err, calls())
	}
}

// A missing secret counts as removed. The words are those of podman 4.3.1 and 5.4.2.
func TestRemoveSecrets(t *testing.T) {
	gone := "Error: no secret with name or id \"n\": no such secret\n"
	for _, test := range []struct {
		said  string
		wrong bool
	}{
		{gone, false},
		{gone + "Error: no secret with name or id \"m\": no such secret\n", false},
		{"Error: deleting secret n: 51c4e49c182f16dbbd587fc20: no secret data with ID\n", false},
		{"Error: deleting secret n: d01d03e4db46c5b023e907eff: no such secret\n", false},
		{gone + "Error: permission denied\n", true},
		{"Error: no such host\n", true},
		{"", true},
	} {
		p, _ := answers(t, map[string]string{"secret-rm.exit": "125", "secret-rm.stderr": test.said})
		if err := p.RemoveSecrets(t.Context(), "n", "m"); (err != nil) != test.wrong {
			t.Errorf("%q: %v", test.said, err)
		}
	}
	p, calls := answers(t, nil)
	names := slices.Repeat([]string{"n"}, secretsAtOnce+1)
	if err := p.RemoveSecrets(t.Context(), names...); err != nil || strings.Count(calls(), "secret rm -- ") != 2 || strings.Count(calls(), " n") != len(names) {
		t.Errorf("got %v, %s", err, calls())
	}
	if err := p.RemoveSecrets(t.Context()); err != nil || strings.Count(calls(), "secret rm") != 2 {
		t.Errorf("of none: %v, %s", err, calls())
	}
}
