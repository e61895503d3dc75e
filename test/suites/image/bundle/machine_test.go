//go:build image

package bundle

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

const (
	bundleImage = "localhost/podman-executor/bundle:latest"
	container   = "pipglr"
	storage     = "pipglr-storage"
	cache       = "pipglr-cache"
	token       = "glrt-bundle-0000-0000-00000000"

	// stepTime is how long a command of the set-up may take, jobTime how long a job
	// may take from its submission to its end.
	stepTime = 10 * time.Minute
	jobTime  = 10 * time.Minute
)

// machine is somebody's machine: a directory in which they work, their podman, and
// a GitLab that containers reach.
type machine struct {
	*testing.T
	dir    string
	image  string
	gitlab *gitlab.Server
}

// newMachine returns a machine on which nothing of the image is, and removes at the
// end what the test made. The image is the bundle with one file more, which tells
// podman in it of the test's registry.
func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{T: t, dir: t.TempDir()}
	m.clean()
	t.Cleanup(m.clean)
	host, err := ownAddress()
	if err != nil {
		t.Fatal(err)
	}
	server, err := gitlab.Start(gitlab.Options{Address: net.JoinHostPort(host, "0"), RunnerToken: token})
	if err != nil {
		t.Fatal(err)
	}
	m.gitlab = server
	t.Cleanup(func() { _ = server.Close() })
	m.image = derivedImage(t)
	return m
}

// clean removes container, volumes and secrets.
func (m *machine) clean() {
	if m.Failed() {
		out, _ := exec.Command("podman", "logs", container).CombinedOutput()
		m.Logf("podman logs %s:\n%s", container, tail(string(out), 8000))
	}
	for _, args := range [][]string{
		{"rm", "--force", "--time", "0", container},
		{"volume", "rm", "--force", storage, cache},
		{"secret", "rm", "config.toml", "REGISTRATION_TOKEN"},
	} {
		_ = exec.Command("podman", args...).Run()
	}
	removeCgroups()
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// ownAddress is an address of this machine that containers reach.
func ownAddress() (string, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, a := range list {
		if ip, _, err := net.ParseCIDR(a.String()); err == nil && ip.To4() != nil && ip.IsGlobalUnicast() {
			return ip.String(), nil
		}
	}
	return "", errors.New("this machine has no address but those of its loopback, where containers do not reach what the tests serve")
}

// do runs a command as the machine's owner types it, in a shell, and returns what
// it printed.
func (m *machine) do(command string) string {
	m.Helper()
	out, err := m.try(command)
	if err != nil {
		m.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// try is do for a command that may fail.
func (m *machine) try(command string) (string, error) {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), stepTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", command)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "IMAGE="+m.image)
	inOwnCgroup(m.T, cmd)
	// A container's monitor has the streams of the command that started it.
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// cgroups are those that the tests made and that are still to be removed.
var cgroups []string

// inOwnCgroup makes a command start in a fresh cgroup, where the machine of the
// tests has no systemd that would make one for each container: systemd in a
// container wants one that it may divide (test/harness/host/README.md).
func inOwnCgroup(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	parent := os.Getenv("PODMAN_EXECUTOR_TEST_CGROUP")
	if parent == "" {
		return
	}
	dir, err := os.MkdirTemp(parent, "image-")
	if err != nil {
		t.Fatal(err)
	}
	cgroups = append(cgroups, dir)
	if err := os.Mkdir(filepath.Join(dir, "container"), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "container"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
}

// removeCgroups removes those that are empty by now. systemd has made some in them
// as root of the container: only podman's user namespace can remove those.
func removeCgroups() {
	for _, dir := range cgroups {
		_ = exec.Command("podman", "unshare", "find", dir, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";").Run()
	}
	cgroups = slices.DeleteFunc(cgroups, func(dir string) bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	})
}

// setUp does steps 3 to 6 of the page: registration, configuration, volumes, start.
func (m *machine) setUp() { m.setUpBy("run") }

func (m *machine) setUpBy(label string) {
	m.Helper()
	m.configure()
	m.do("podman container runlabel setupstorage $IMAGE && podman container runlabel setupcache $IMAGE")
	m.do("podman container runlabel " + label + " $IMAGE")
	m.ready()
}

// configure does steps 3 and 4, with a runner that asks for jobs every second and
// takes four at a time.
func (m *machine) configure() {
	m.Helper()
	m.do("printf %s '" + token + "' | podman secret create REGISTRATION_TOKEN - && touch ./config.toml")
	m.do("podman container runlabel register $IMAGE -- --url " + m.gitlab.URL())
	m.do("podman secret rm REGISTRATION_TOKEN")
	m.do(`sed -i 's/^concurrent = .*/concurrent = 4/; s/^check_interval = .*/check_interval = 1/; s/^  request_concurrency = .*/  request_concurrency = 4/' config.toml`)
	m.do("podman secret create config.toml ./config.toml && rm ./config.toml")
}

// ready waits until the container says that it is healthy.
func (m *machine) ready() {
	m.Helper()
	for end := time.Now().Add(stepTime); ; time.Sleep(200 * time.Millisecond) {
		out, err := exec.Command("podman", "healthcheck", "run", container).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			m.Fatalf("the container is not ready: %v\n%s", err, out)
		}
	}
}

// inside runs a command in the container, as a user of its.
func (m *machine) inside(user string, command ...string) (string, error) {
	m.Helper()
	args := append([]string{"exec", "--user", user, container}, command...)
	out, err := exec.Command("podman", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// podmanInside runs a command of the podman in the container, by way of the socket.
func (m *machine) podmanInside(args ...string) string {
	m.Helper()
	out, err := m.inside("root", append([]string{"podman", "--url", "unix:///run/podman-executor/podman.sock"}, args...)...)
	if err != nil {
		m.Fatalf("podman %s, in the container: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}
