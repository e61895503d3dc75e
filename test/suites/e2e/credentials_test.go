//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// TestAccounts: each account sees its own repositories only, and the registry sees
// the account that the order of the sources, and the longest path, give.
func TestAccounts(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	f := r.front(ownRepositories)
	r.pushed("reader/app:1")
	r.pushed("other/app:1")
	readers, others := f.image("reader/app:1"), f.image("other/app:1")
	file := filepath.Join(t.TempDir(), "auth.json")
	m := start(t, defaults(r.policy(), `allowed_pull_policies = ["always"]`, fmt.Sprintf("registry_auth_file = %q", file)))
	const nobody = `{"auths": {}}`
	wrong := account{"wrong", "password-of-nobody"}
	for _, row := range []struct {
		name, image    string
		variable, file string
		credentials    []gitlab.Credential
		// by is the account that gets the image; empty: the job is refused.
		by string
	}{
		{"GitLab's credentials", readers, "", nobody, []gitlab.Credential{r.credential(f.host)}, "reader"},
		{"another's repository", others, "", nobody, []gitlab.Credential{r.credential(f.host)}, ""},
		{"the file", others, "", r.other.dockerConfig(f.host), nil, "other"},
		{"the file before GitLab's", others, "", r.other.dockerConfig(f.host), []gitlab.Credential{wrong.credential(f.host)}, "other"},
		{"the variable before the file", others, r.other.dockerConfig(f.host), wrong.dockerConfig(f.host), nil, "other"},
		{"the variable's is wrong", others, wrong.dockerConfig(f.host), r.other.dockerConfig(f.host), nil, ""},
		{"the longest path of GitLab's", others, wrong.dockerConfig(f.host), wrong.dockerConfig("http://" + f.host), []gitlab.Credential{r.other.credential(f.host + "/other")}, "other"},
		{"the longest path of the file", others, wrong.dockerConfig(f.host + "/other"), r.other.dockerConfig(f.host + "/other/app"), nil, "other"},
		{"a path of another repository", readers, r.other.dockerConfig(f.host + "/other"), nobody, []gitlab.Credential{r.credential(f.host)}, "reader"},
	} {
		write(t, file, row.file)
		j := in(row.image, job(row.name, "cat /unique"))
		j.Image.PullPolicy = []string{"always"}
		j.Credentials = row.credentials
		if row.variable != "" {
			j.Variables = append(j.Variables, gitlab.Variable{Key: "DOCKER_AUTH_CONFIG", Value: row.variable, Raw: true})
		}
		before := f.total("/manifests/1 by " + row.by)
		run := m.run(j)
		r.noSecrets(m, run)
		lacks(t, run, wrong.password, wrong.auth())
		if row.by == "" {
			refused(t, run, "getting the image")
			continue
		}
		succeeded(t, run)
		if f.total("/manifests/1 by "+row.by) != before+1 {
			t.Errorf("%s: the registry was not asked by %s", row.name, row.by)
		}
	}
}

// A helper of the administrator's file runs; one that a job names does not.
func TestCredentialHelper(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	f := r.front(ownRepositories)
	r.pushed("other/app:1")
	image := f.image("other/app:1")
	dir := t.TempDir()
	for _, name := range []string{"administrators", "jobs"} {
		helper := fmt.Sprintf("#!/bin/sh\necho %s >>%s/ran\nread -r registry\nprintf '{\"ServerURL\": \"%%s\", \"Username\": \"%s\", \"Secret\": \"%s\"}' \"$registry\"\n", name, dir, r.other.user, r.other.password)
		write(t, filepath.Join(dir, "docker-credential-"+name), helper)
		if err := os.Chmod(filepath.Join(dir, "docker-credential-"+name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	environment := r.policy()
	environment = strings.TrimSuffix(environment, "]") + fmt.Sprintf(", %q]", "PATH="+dir+":/usr/sbin:/usr/bin:/sbin:/bin")
	file := filepath.Join(dir, "auth.json")
	m := start(t, defaults(environment, fmt.Sprintf("registry_auth_file = %q", file)))
	j := in(image, job("helper", "echo ran"))
	j.Variables = append(j.Variables, gitlab.Variable{Key: "DOCKER_AUTH_CONFIG", Value: fmt.Sprintf(`{"credsStore": "jobs", "credHelpers": {%q: "jobs"}}`, f.host), Raw: true})
	write(t, file, `{}`)
	refused(t, m.run(j), "getting the image")
	write(t, file, fmt.Sprintf(`{"credHelpers": {%q: "administrators"}}`, f.host))
	run := m.run(j)
	succeeded(t, run)
	r.noSecrets(m, run)
	logs(t, run, "warning: DOCKER_AUTH_CONFIG: credsStore and credHelpers are ignored")
	ran, err := os.ReadFile(filepath.Join(dir, "ran"))
	if err != nil || strings.Contains(string(ran), "jobs") {
		t.Errorf("the helpers that ran: %s (%v)", ran, err)
	}
}

// A file of the administrator's that cannot be used stops every job, and nothing of
// it is shown.
func TestRegistryAuthFileThatIsBroken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "auth.json")
	m := start(t, defaults(fmt.Sprintf("registry_auth_file = %q", file)))
	write(t, file, `{"auths": {"registry.example.com": {"auth": "s3cr3t"}}}`)
	run := m.run(job("broken", "echo ran"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "podman-executor-prepare: error: reading registry_auth_file: "+file, "hint: mend the file of ")
	lacks(t, run, "s3cr3t", "$ echo ran")
	write(t, file, `{"auths": {}}`)
	if err := os.Chmod(file, 0o604); err != nil {
		t.Fatal(err)
	}
	run = m.run(job("readable by others", "echo ran"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "others can read it", "hint: mend the file of ")
}
