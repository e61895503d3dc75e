package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/remote"
	"podman-executor/internal/spec"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// servedVariables returns variables for the services of a job, whose podman keeps each
// secret's value in a file of the secret's name, and the directory of these files.
func servedVariables(t *testing.T, stderr *strings.Builder) (*variables, string) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "podman")
	script := fmt.Sprintf("#!/bin/sh\nfor name; do :; [ \"$name\" = - ] || last=$name; done\ncat >%s/values/\"$last\"\n", dir)
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "values"), 0o700), os.WriteFile(program, []byte(script), 0o700)); err != nil {
		t.Fatal(err)
	}
	runner, err := job.ProcessOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	in := inputs{
		call: &driver.Call{Program: "prepare", Stderr: stderr}, policy: &policy.Policy{}, job: &job.Job{ID: 42, RunnerToken: "t"},
		runner: runner, attempt: "/tmp/custom-executor1", stateDir: filepath.Join(dir, "state"),
	}
	pm := podman.Podman{Program: program, Env: []string{"PATH=" + podman.Path, "XDG_RUNTIME_DIR=" + dir}}
	f := factsOf(in, policy.Grant{Services: []policy.ServiceGrant{{Aliases: []string{"s"}}}}, pm, remote.Endpoint{})
	p := spec.Plan(f)
	if err := os.MkdirAll(p.AuthDir, 0o700); err != nil {
		t.Fatal(err)
	}
	return &variables{in: in, podman: &pm, facts: f, plan: p}, filepath.Join(dir, "values")
}

// Variables that podman's files cannot hold are passed as podman secrets, whatever their names
// are, and byte for byte. Equal values share one secret.
func TestServiceVariables(t *testing.T) {
	var stderr strings.Builder
	v, values := servedVariables(t, &stderr)
	long := strings.Repeat("x", 70_000)
	lines := "\n\n lead\r\n#=\"'\xc3\xa4*\n\n"
	c, err := v.bring(t.Context(), podman.Create{}, 0, []string{"A=1", "LD_PRELOAD=" + long, "LINES_=" + lines, "B=", "C =x", "GCONV_PATH=" + lines, "Z=a\x00b", "H=#x", "S= x*", "CR=\r"})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(c.EnvFile); err != nil || string(text) != "A=1\nB=\nH=#x\nS= x*\n" {
		t.Errorf("the file has %q (%v)", text, err)
	}
	var got, want []string
	for _, variable := range c.Secrets {
		text, err := os.ReadFile(filepath.Join(values, variable.Secret))
		if err != nil || len(variable.Secret) > 64 {
			t.Error(variable, err)
		}
		got = append(got, variable.Variable+"="+string(text))
	}
	if want = []string{"LD_PRELOAD=" + long, "LINES_=" + lines, "GCONV_PATH=" + lines, "CR=\r"}; !slices.Equal(got, want) {
		t.Errorf("by secrets go %.200q", got)
	}
	if c.Secrets[1].Secret != c.Secrets[2].Secret || c.Secrets[0].Secret == c.Secrets[1].Secret {
		t.Errorf("the secrets are %q", c.Secrets)
	}
	said := `prepare: warning: variable "C " is not passed to the service: invalid name
prepare: warning: variable Z is not passed to the service: it contains a zero byte
`
	if stderr.String() != said {
		t.Errorf("got %s\nwant %s", stderr.String(), said)
	}
	for name, mode := range map[string]fs.FileMode{c.EnvFile: 0o600, v.plan.SecretsDir: fs.ModeDir | 0o700, filepath.Dir(v.plan.SecretsDir): fs.ModeDir | 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s has the mode %v (%v)", name, info.Mode(), err)
		}
	}
}

// A job cannot make as many secrets as it likes, nor as large ones.
func TestSecretsAreBounded(t *testing.T) {
	for _, test := range []struct{ length, want int }{{10, mostSecrets}, {120_000, mostSecretBytes / 120_000}} {
		var stderr strings.Builder
		v, values := servedVariables(t, &stderr)
		var list []string
		for i := range mostSecrets + 20 {
			list = append(list, fmt.Sprintf("V%d=%d\n%s", i, i, strings.Repeat("x", test.length-len(fmt.Sprint(i))-1)))
		}
		c, err := v.bring(t.Context(), podman.Create{}, 0, list)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(values)
		if len(c.Secrets) != test.want || len(entries) != test.want || err != nil {
			t.Errorf("%d variables go by %d secrets (%v), want %d", len(c.Secrets), len(entries), err, test.want)
		}
		if got := strings.Count(stderr.String(), "the job's services have too many variables with line breaks or over 60 KiB (at most 100, 4 MiB in total)\n"); got != len(list)-test.want {
			t.Errorf("%d warnings, want %d", got, len(list)-test.want)
		}
	}
}

// The names of secrets belong to one job only, and are valid for podman.
func TestSecretName(t *testing.T) {
	seen := map[string]bool{}
	for _, j := range []*job.Job{{ID: 1, RunnerToken: "t"}, {ID: 2, RunnerToken: "t"}, {ID: 1, RunnerToken: "u"}, {ID: 1, RunnerToken: "t", GitLab: "0123456789ab"}} {
		for number := range 3 {
			name := secretName(j, number)
			if seen[name] || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
				t.Errorf("%+v, %d: %s", j, number, name)
			}
			seen[name] = true
		}
	}
}
