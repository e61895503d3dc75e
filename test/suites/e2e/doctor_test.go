//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// doctor calls podman-executor-config --doctor as an administrator does: with a
// clean environment, here with the command in front of it, and a policy.
func doctor(t *testing.T, policy string, variables map[string]string, front ...string) (table string, status int) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "policy.toml")
	write(t, name, policy)
	words := append(front, filepath.Join(environment(t, "PODMAN_EXECUTOR_BIN"), "podman-executor-config"), "--policy", name, "--doctor")
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, name := range []string{"HOME", "USER", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"} {
		value, ok := variables[name]
		if !ok {
			value = os.Getenv(name)
		}
		if value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the table:\n%s%s", out, &stderr)
		}
	})
	return string(out), cmd.ProcessState.ExitCode()
}

// checked checks that the table has a line of that check, with the result and the words.
func checked(t *testing.T, table, check, result, words string) {
	t.Helper()
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^%s +%s +.*%s`, regexp.QuoteMeta(check), result, regexp.QuoteMeta(words)))
	if !line.MatchString(table) {
		t.Errorf("the table has no line %q, %s, %q", check, result, words)
	}
}

// On the machine where all other tests run their jobs, --doctor says that jobs run.
func TestDoctor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	table, status := doctor(t, policyText(dir, nil, nil), nil)
	if status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	checked(t, table, "policy", "ok", "policy.toml")
	if !overService() { // the directory and the ranges are those of podman's own user
		checked(t, table, "XDG_RUNTIME_DIR", "ok", os.Getenv("XDG_RUNTIME_DIR"))
		checked(t, table, "subuid, subgid", "ok", "containers have users 0 to ")
	}
	checked(t, table, "storage", "ok", "overlay")
	checked(t, table, "runner_image", "ok", runnerImage+" starts")
	if !overService() || !oldPodman(t) { // there nobody keeps netavark's rules
		checked(t, table, "jobs' networks", "ok", "isolated from each other")
	}
	checked(t, table, "default_image", "ok", debianImage+" starts")
	if left := podman(t, "ps", "--all", "--noheading", "--filter", "ancestor="+runnerImage, "--filter", "status=exited", "--format", "{{.Command}}"); strings.Contains(left, "command -v") {
		t.Errorf("its containers are left: %s", left)
	}
}

// Networks without a firewall are not apart: as with firewall_driver = "none", which not every netavark takes.
func TestDoctorNetworksNotApart(t *testing.T) {
	t.Parallel()
	table, status := doctor(t, policyText(t.TempDir(), nil, []string{storageEnvironment("NETAVARK_FW=none")}), nil)
	if status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	checked(t, table, "jobs' networks", "warning", "")
	if !oldPodman(t) {
		checked(t, table, "jobs' networks", "warning", "a container reached one on another network at once")
	}
}

// A runtime that containers.conf names, and that is not there, is an error before a container is started.
func TestDoctorRuntimeMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := filepath.Join(dir, "containers.conf")
	write(t, conf, "[engine]\nruntime = \"kaput\"\n")
	table, status := doctor(t, policyText(dir, nil, []string{storageEnvironment("CONTAINERS_CONF=" + conf)}), nil)
	if status == 0 {
		t.Error("exit status 0")
	}
	checked(t, table, "containers.conf", "error", "kaput not found (runtime of "+conf+")")
	if strings.Contains(table, "runner_image") {
		t.Error("a container was started all the same")
	}
}

// An image without bash and git cannot be the runner image.
func TestDoctorRunnerImage(t *testing.T) {
	t.Parallel()
	table, status := doctor(t, policyText(t.TempDir(), nil, []string{fmt.Sprintf("runner_image = %q", busyboxImage)}), nil)
	if status == 0 {
		t.Error("exit status 0")
	}
	checked(t, table, "runner_image", "error", busyboxImage+" has no bash, git")
}

// A user without ranges in /etc/subuid and /etc/subgid: one that only a user
// namespace has.
func TestDoctorNoSubordinateIDs(t *testing.T) {
	t.Parallel()
	own := t.TempDir()
	if err := os.Chmod(own, 0o700); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{"HOME": own, "USER": "", "XDG_RUNTIME_DIR": own, "DBUS_SESSION_BUS_ADDRESS": ""}
	table, status := doctor(t, policyText(own, nil, nil), variables, "unshare", "--user", "--map-user=12345")
	if status == 0 {
		t.Error("exit status 0")
	}
	checked(t, table, "XDG_RUNTIME_DIR", "ok", own)
	checked(t, table, "subuid, subgid", "error", "the user 12345 has no range of ids in /etc/subuid and /etc/subgid: podman cannot unpack images")
	for _, text := range []string{"-> give 12345 at least 65535 ids in /etc/subuid and in /etc/subgid", "usermod --add-subuids"} {
		if !strings.Contains(table, text) {
			t.Errorf("the table lacks %q", text)
		}
	}
	if strings.Contains(table, "runner_image") {
		t.Error("a container was started all the same")
	}
}

// A storage of the vfs driver is slow, and no reason to run no jobs; without the
// images in it there are none. podman keeps which driver a storage has below HOME.
func TestDoctorVFS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := filepath.Join(dir, ".config", "containers", "storage.conf")
	if err := os.MkdirAll(filepath.Dir(conf), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, conf, fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", filepath.Join(dir, "storage"), filepath.Join(dir, "run")))
	table, status := doctor(t, policyText(dir, nil, []string{
		"-environment", `image_pull_policy = "never"`,
	}), map[string]string{"HOME": dir})
	if status == 0 {
		t.Error("exit status 0")
	}
	checked(t, table, "storage", "warning", "vfs copies the whole image")
	checked(t, table, "runner_image", "error", "no registry has images of localhost/")
}

// A policy that others can write is none, and the job log says what to do.
func TestPolicyOfOthers(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	name := filepath.Join(m.dir, "policy.toml")
	if err := os.Chmod(name, 0o666); err != nil {
		t.Fatal(err)
	}
	run := m.run(job("no-policy", "echo ran"))
	failed(t, run, "runner_system_failure", 0)
	lacks(t, run, "ran\n")
	said := run.Log() + m.runner.Log()
	for _, text := range []string{"the policy cannot be trusted: " + name + " is writable by everyone (mode 0666)", "chmod go-w " + name} {
		if !strings.Contains(said, text) {
			t.Errorf("neither log has %q", text)
		}
	}
}

// A disk with less room than min_free_space starts no job.
func TestMinFreeSpace(t *testing.T) {
	t.Parallel()
	m := start(t, func(dir string) string { return policyText(dir, []string{`min_free_space = "1000t"`}, nil) })
	run := m.run(job("no-room", "echo ran"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "podman-executor-prepare: error: only ", " MB are free in ", "general.min_free_space requires 1099511627 MB", "hint: free space there")
	lacks(t, run, "ran\n")
}

// An image with a file of a user that the user's ranges do not reach: the author is
// told which, and how far they reach.
func TestImageBeyondTheRanges(t *testing.T) {
	t.Parallel()
	const beyond = 7_000_000
	name := serveImage(t, beyond)
	dir := t.TempDir()
	registries := filepath.Join(dir, "registries.conf")
	host, _, _ := strings.Cut(name, "/")
	write(t, registries, fmt.Sprintf("[[registry]]\nlocation = %q\ninsecure = true\n", host))
	m := start(t, defaults(storageEnvironment("CONTAINERS_REGISTRIES_CONF="+registries)))
	run := m.run(in(name, job("odd-image", "true")))
	failed(t, run, "script_failure", 1)
	logs(t, run,
		"podman-executor-prepare: error: getting the image", "potentially insufficient UIDs or GIDs",
		fmt.Sprintf("podman-executor-prepare: hint: the image has a file of user or group %d, but containers on this runner only have ids 0 to ", beyond))
	if n := count(run, "podman-executor-prepare: error: "); n != 1 {
		t.Errorf("the job was tried %d times", n)
	}
}

// serveImage serves an image of one file, which belongs to that user, and returns
// the image's name.
func serveImage(t *testing.T, uid int) string {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Uid: uid, Gid: 0, Typeflag: tar.TypeReg}), w.Close()); err != nil {
		t.Fatal(err)
	}
	blobs := map[string][]byte{}
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Size      int    `json:"size"`
		Digest    string `json:"digest"`
	}
	add := func(kind string, content []byte) descriptor {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256(content))
		blobs[digest] = content
		return descriptor{"application/vnd.oci.image." + kind, len(content), digest}
	}
	marshal := func(v any) []byte {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	l := add("layer.v1.tar", layer.Bytes())
	config := add("config.v1+json", marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{l.Digest}},
	}))
	manifest := add("manifest.v1+json", marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": []descriptor{l},
	}))
	return listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		switch content, ok := blobs[name]; {
		case r.URL.Path == "/v2/":
		case strings.HasSuffix(r.URL.Path, "/manifests/1"), name == manifest.Digest:
			w.Header().Set("Content-Type", manifest.MediaType)
			_, _ = w.Write(blobs[manifest.Digest])
		case ok:
			_, _ = w.Write(content)
		default:
			http.NotFound(w, r)
		}
	})) + "/odd/image:1"
}
