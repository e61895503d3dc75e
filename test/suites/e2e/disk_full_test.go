//go:build e2e

package e2e

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"podman-executor/test/harness/runner"
)

// ownStore is a podman with a storage of its own.
type ownStore struct {
	*testing.T
	// dir has a short name: podman makes sockets below it.
	dir, storage string
}

// newOwnStore makes one, with lines for [storage.options].
func newOwnStore(t *testing.T, options ...string) ownStore {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pe-")
	if err != nil {
		t.Fatal(err)
	}
	s := ownStore{T: t, dir: dir, storage: filepath.Join(dir, "home/.local/share/containers")}
	settings := filepath.Join(dir, "home/.config/containers")
	for _, d := range []string{s.storage, settings, filepath.Join(dir, "run")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// Rootless podman's storage is below HOME, whatever graphroot says (podman 4.3.1).
	text := fmt.Sprintf("[storage]\ndriver = \"overlay\"\nrunroot = %q\n[storage.options]\n%s\n", filepath.Join(dir, "run/containers"), strings.Join(options, "\n"))
	if err := os.WriteFile(filepath.Join(dir, "storage.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(filepath.Join(os.Getenv("HOME"), ".config/containers/containers.conf"))
	if err == nil {
		err = os.WriteFile(filepath.Join(settings, "containers.conf"), own, 0o600)
	}
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	if got := s.podman("info", "--format", "{{.Store.GraphRoot}}"); !strings.HasPrefix(got, dir) {
		t.Fatalf("the storage is %s, and not in %s", got, dir)
	}
	return s
}

// newSmallStore is one of a few MiB, in which the images of the tests are there to read: a
// tmpfs that podman's own mount namespace has.
//
// Its tests are not parallel to others: podman is to read only from a store that nobody
// writes to (containers-storage.conf(5), additionalimagestores); beside other tests
// three podmans have waited for each other's locks for good.
func newSmallStore(t *testing.T) ownStore {
	t.Helper()
	images := podman(t, "info", "--format", "{{.Store.GraphRoot}}")
	s := newOwnStore(t, fmt.Sprintf("additionalimagestores = [%q]", images))
	s.podman("unshare", "mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", s.storage)
	return s
}

// environment is what makes any podman this one.
func (s ownStore) environment() []string {
	return []string{
		"HOME=" + filepath.Join(s.dir, "home"), "XDG_RUNTIME_DIR=" + filepath.Join(s.dir, "run"),
		"CONTAINERS_STORAGE_CONF=" + filepath.Join(s.dir, "storage.conf"),
	}
}

func (s ownStore) podman(args ...string) string {
	s.Helper()
	cmd := podmanCommand(args...)
	cmd.Env = append(os.Environ(), s.environment()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// remove ends podman's pause process, and with it the namespace and the tmpfs.
func (s ownStore) remove() {
	text, err := os.ReadFile(filepath.Join(s.dir, "run/libpod/tmp/pause.pid"))
	if pid, _ := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	podman(s.T, "unshare", "rm", "-rf", s.dir)
}

// A storage that is full while containers are made is a failure of the system that
// names the disk; nothing is left, and with room again the next job works.
func TestDiskFullOfStorage(t *testing.T) {
	s := newSmallStore(t)
	quoted := make([]string, len(s.environment()))
	for i, v := range s.environment() {
		quoted[i] = strconv.Quote(v)
	}
	m := start(t, defaults("environment = ["+strings.Join(quoted, ", ")+"]"))
	fill := filepath.Join(s.storage, "fill")
	succeeded(t, m.run(killed("makes the volumes")))
	s.podman("unshare", "sh", "-c", `dd if=/dev/zero of="$0" bs=1k 2>/dev/null; true`, fill)
	run := m.run(killed("disk full"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "podman-executor-prepare: error: ", "no space left on device", "podman-executor-prepare: hint: the disk is full")
	lacks(t, run, "the script: 42")
	s.podman("unshare", "rm", fill)
	if left := s.podman("ps", "--all", "--quiet"); left != "" {
		t.Errorf("containers are left: %s", left)
	}
	succeeded(t, m.run(killed("next")))
}

// fullTMPDIR calls prepare with the job's directory on a tmpfs that is full, as long
// as a file says so.
const fullTMPDIR = `#!/bin/sh
[ -e %[1]q/full ] || exec %[2]q "$@"
cp -r "$TMPDIR" %[1]q/attempt-$$
exec unshare --user --map-root-user --mount sh -ec '
	mount -t tmpfs -o size=4k tmpfs "$TMPDIR"
	dd if=/dev/zero of="$TMPDIR/fill" bs=1k 2>/dev/null || true
	export JOB_RESPONSE_FILE="$0/${JOB_RESPONSE_FILE##*/}"
	exec "$@"' %[1]q/attempt-$$ %[2]q "$@"
`

// A TMPDIR that is full when the plan is written is one, too. podman does not run in
// the namespace with that tmpfs: a stub answers for it.
func TestDiskFullOfTMPDIR(t *testing.T) {
	t.Parallel()
	p := newTrap(t)
	dir := t.TempDir()
	wrapper, full := filepath.Join(dir, "prepare"), filepath.Join(dir, "full")
	m := startConfigured(t, 1, defaults(p.key()), func(c runner.Config) string {
		real := filepath.Join(c.Driver, "podman-executor-prepare")
		if err := os.WriteFile(wrapper, fmt.Appendf(nil, fullTMPDIR, dir, real), 0o700); err != nil {
			t.Fatal(err)
		}
		return strings.Replace(runner.Usual(c), strconv.Quote(real), strconv.Quote(wrapper), 1)
	})
	if err := os.WriteFile(full, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.armFor("ps *", `cp "$traps/$n/pattern" "$traps/pattern"; echo "[]"; exit 0`)
	run := m.run(killed("TMPDIR full"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "podman-executor-prepare: error: writing the plan: ", "no space left on device", "podman-executor-prepare: hint: the disk is full", "TMPDIR of gitlab-runner")
	lacks(t, run, "the script: 42")
	for _, name := range []string{full, filepath.Join(p.dir, "pattern")} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	succeeded(t, m.run(killed("next")))
}

// Where the user has no process left, podman cannot be run, and the reason is named.
func TestOutOfProcesses(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("prlimit"); err != nil {
		t.Fatal(err)
	}
	p := newTrap(t)
	m := start(t, defaults(p.key()))
	p.armFor(making()+" *", `exec prlimit --nproc=1 "$podman" "$@"`)
	run := m.run(killed("out of processes"))
	succeeded(t, run)
	logs(t, run, "podman-executor-prepare: error: ", "podman-executor-prepare: hint: no process could be started: raise TasksMax=", "the script: 42")
}

// The disk is full in a pull: the registry has an image that is larger than the
// storage.
func TestDiskFullInPull(t *testing.T) {
	s, r := newSmallStore(t), startRegistry(t)
	dir := t.TempDir()
	large := make([]byte, 8<<20)
	_, _ = rand.Read(large) // never fails (crypto/rand)
	if err := os.WriteFile(filepath.Join(dir, "large"), large, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "Containerfile"), "FROM "+busyboxImage+"\nCOPY large /large\n")
	const local = "localhost/podman-executor/e2e-large:latest"
	podman(t, "build", "--quiet", "--tag", local, dir)
	image := r.push(local, "large")
	podman(t, "rmi", "--force", local)
	variables := append(s.environment(), "CONTAINERS_REGISTRIES_CONF="+r.config)
	for i, v := range variables {
		variables[i] = strconv.Quote(v)
	}
	m := start(t, defaults("environment = ["+strings.Join(variables, ", ")+"]"))
	j := in(image, killed("pulls"))
	j.Credentials = append(j.Credentials, r.credential(r.host))
	run := m.run(j)
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "podman-executor-prepare: error: getting the image ", "no space left on device", "podman-executor-prepare: hint: the disk is full")
	lacks(t, run, "the script: 42")
	if left := s.podman("ps", "--all", "--quiet"); left != "" {
		t.Errorf("containers are left: %s", left)
	}
	succeeded(t, m.run(killed("next")))
}
