//go:build e2e

package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// recorder writes a podman that writes down its arguments, and returns its name and
// that of the file.
func recorder(t *testing.T) (program, arguments string) {
	t.Helper()
	podman, err := exec.LookPath("podman")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program, arguments = filepath.Join(dir, "podman"), filepath.Join(dir, "arguments")
	write(t, program, fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$@\" >>%s\nexec %s \"$@\"\n", arguments, podman))
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	return program, arguments
}

// holders returns the processes of the host, but gitlab-runner's and the driver's
// own, that have a secret on their command line or in their environment: conmon,
// podman, their helpers for networks and storage. What a script does inside of its
// container is the script's affair.
func holders(secrets ...string) []string {
	own, _ := os.Readlink("/proc/self/ns/pid")
	var list []string
	for _, p := range processesWith(secrets...) {
		namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", p.pid))
		if err == nil && namespace == own && !strings.HasPrefix(p.name, "podman-executor") && !strings.HasPrefix(p.name, "gitlab-runner") {
			list = append(list, fmt.Sprintf("%d %s", p.pid, p.name))
		}
	}
	return list
}

// with returns the files below a directory that hold one of the texts, as podman's
// user namespace sees them.
func with(t *testing.T, dir string, texts ...string) []string {
	t.Helper()
	args := []string{"unshare", "grep", "--recursive", "--files-with-matches", "--no-messages", "--fixed-strings", "--devices=skip"}
	for _, text := range texts {
		args = append(args, "-e", text)
	}
	out, _ := podmanCommand(append(args, "--", dir)...).Output()
	return strings.Fields(string(out))
}

// TestSecretsOfAJobWithEverything: services, credentials from three sources, file
// variables, user volumes, artifacts and a cache, and a pull that fails. No secret
// of it gets to where somebody else could read it, or outlives the job.
func TestSecretsOfAJobWithEverything(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	program, arguments := recorder(t)
	allowed, _ := shared(t)
	authFile := filepath.Join(t.TempDir(), "auth.json")
	write(t, authFile, r.other.dockerConfig(r.host+"/admin"))
	m := start(t, defaults(r.policy(), `image_pull_policy = "always"`, fmt.Sprintf("application_path = %q", program),
		fmt.Sprintf("runner_image = %q", r.push(runnerImage, "admin/secrets-runner:1")), fmt.Sprintf("registry_auth_file = %q", authFile),
		`user_volume_variable = "USER_VOLUMES"`, fmt.Sprintf("volume_allow_list = [%q]", allowed+"/.*")))
	// Its own: other tests have containers in the same storage.
	masked, inFile, ofService := "masked-"+rand.Text(), "file-"+rand.Text(), "service-"+rand.Text()
	withEverything := func(name, image string) gitlab.Job {
		j := m.cloneOnce(name, append([]string{`echo "the secret is $A_SECRET"`, `cat "$A_SECRET_FILE" >/dev/null`, "mkdir -p out", "echo made >out/file"}, untilReleased...)...)
		j = volumes(in(image, j), allowed+"/data:/shared")
		j.Variables = append(j.Variables,
			gitlab.Variable{Key: "A_SECRET", Value: masked, Masked: true},
			gitlab.Variable{Key: "A_SECRET_FILE", Value: inFile, File: true},
			gitlab.Variable{Key: "OF_SERVICE", Value: ofService, Masked: true},
			gitlab.Variable{Key: "DOCKER_AUTH_CONFIG", Value: r.dockerConfig(r.host + "/team"), Raw: true, Masked: true})
		j.Credentials = []gitlab.Credential{r.credential(r.host)}
		j.Services = []gitlab.Image{service(r.push(redisImage, "team/secrets-redis:1"), "cache",
			gitlab.Variable{Key: "OWN", Value: "$OF_SERVICE"}, gitlab.Variable{Key: "LINES", Value: "two\n$OF_SERVICE"})}
		j.Cache = []gitlab.Cache{{Key: "k", Paths: []string{"out"}, Policy: "pull-push", When: "always"}}
		j.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Type: "archive", Format: "zip", When: "always"}}
		return j
	}
	image := r.push(busyboxImage, "team/secrets-app:1")
	secrets := []string{masked, inFile, r.password, r.auth(), r.other.password, r.other.auth()}
	for _, name := range []string{"passes", "is not there"} {
		if name != "passes" {
			image = r.host + "/team/nothing:1"
		}
		run := m.server.Submit(withEverything(name, image))
		all := append(secrets, ofService, "job-token-"+itoa(int(run.Job.ID)))
		if name == "passes" {
			m.waitLog(run, "holding")
			m.secretsMeanwhile(run, append(secrets, all[len(all)-1]), ofService)
			m.release(run)
		}
		m.wait(run)
		m.nothingLeft()
		if name == "passes" {
			succeeded(t, run)
			logs(t, run, "the secret is [MASKED]")
		} else {
			refused(t, run, "getting the image")
		}
		for _, secret := range all {
			if bytes.Contains(run.Trace(), []byte(secret)) {
				t.Errorf("%q stands in the job log", secret)
			}
		}
		m.secretsAfterwards(all, m.dir, arguments, filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "podman-executor"))
	}
	if text, err := os.ReadFile(arguments); err != nil || !bytes.Contains(text, []byte("--authfile")) || !bytes.Contains(text, []byte("--env-file")) {
		t.Errorf("the recorder has seen no pull or no service: this test shows nothing (%v)", err)
	}
}

// secretsAfterwards checks that none of the secrets stands in these places, in
// podman's storage of containers and secrets, or in the job's volumes.
func (m *machine) secretsAfterwards(secrets []string, places ...string) {
	m.Helper()
	graph := podman(m.T, "info", "--format", "{{.Store.GraphRoot}}")
	places = append(places, filepath.Join(graph, "overlay-containers"), filepath.Join(graph, "secrets"))
	for _, v := range m.volumes() {
		places = append(places, filepath.Join(graph, "volumes", v))
	}
	for _, place := range places {
		if found := with(m.T, place, secrets...); len(found) > 0 {
			m.Errorf("after the job a secret stands in %q", found)
		}
	}
}

// secretsMeanwhile looks, while a job runs, at what others could: processes of the
// host, podman's inspect, and the modes of the driver's files.
func (m *machine) secretsMeanwhile(run *gitlab.Run, secrets []string, ofService string) {
	m.Helper()
	if found := holders(append(secrets, ofService)...); len(found) > 0 {
		m.Errorf("processes of the host hold a secret: %q", found)
	}
	for _, role := range []string{"user", "runner", "service-0"} {
		text := podman(m.T, "inspect", m.container(run, role))
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				m.Errorf("podman inspect shows %q of the container %s", secret, role)
			}
		}
		if role != "service-0" && strings.Contains(text, ofService) {
			m.Errorf("podman inspect shows %q of the container %s", ofService, role)
		}
	}
	plans, _ := filepath.Glob(filepath.Join(m.runner.TempDir(), "custom-executor*", "podman-executor-plan.json"))
	if len(plans) != 1 {
		m.Fatalf("there are %d plans, want 1", len(plans))
	}
	for file, want := range map[string]fs.FileMode{plans[0]: 0o600, filepath.Dir(plans[0]): 0o700, filepath.Join(m.dir, "driver.log"): 0o600} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != want {
			m.Errorf("%s has the mode %v, want %v (%v)", file, info.Mode().Perm(), want, err)
		}
	}
	if found := with(m.T, filepath.Dir(plans[0]), secrets...); len(found) == 0 {
		m.Error("the runner's own files hold no secret: this test shows nothing")
	}
	if found := with(m.T, plans[0], append(secrets, ofService)...); len(found) > 0 {
		m.Errorf("the plan holds a secret")
	}
	marked := 0
	for _, dir := range m.runtimeDirectories() {
		dir = strings.TrimPrefix(dir, "directory ")
		if strings.Contains(dir, "/podman-executor-volumes/") {
			continue
		}
		marked++
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 2 || entries[0].Name() != "podman-executor-owner" || entries[1].Name() != "steps" {
			m.Errorf("after the pull %s has more than the mark and the pipes: %v, %v", dir, entries, err)
		}
	}
	if marked != 1 {
		m.Errorf("there are %d marks, want that of the job", marked)
	}
}
