//go:build e2e && remote

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// host is a podman host of this user's own, which can die: a podman service and an sshd
// on loopback.
type host struct {
	*testing.T
	dir, port     string
	service, sshd *exec.Cmd
}

// newHost starts a host, which ends with the test.
func newHost(t *testing.T) *host {
	t.Helper()
	// The path of a socket is short.
	dir, err := os.MkdirTemp("", "pe-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := &host{T: t, dir: dir, port: freePort(t)}
	h.shell("ssh-keygen -q -t ed25519 -N '' -f key && ssh-keygen -q -t ed25519 -N '' -f id && cp id.pub authorized_keys")
	h.write("known_hosts", "[127.0.0.1]:"+h.port+" "+h.read("key.pub"))
	h.write("sshd_config", strings.Join([]string{
		"Port " + h.port, "ListenAddress 127.0.0.1", "HostKey " + dir + "/key", "PidFile none", "StrictModes no",
		"AuthorizedKeysFile " + dir + "/authorized_keys", "UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "",
	}, "\n"))
	h.start()
	t.Cleanup(h.die)
	return h
}

// freePort returns a port that is free, and that the kernel gives to nobody who asks for
// any (ip_local_port_range begins at 32768): a host that is restarted still has it.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20000 + rand.IntN(10000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("none of 100 ports is free")
	return ""
}

func (h *host) shell(script string) {
	h.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = h.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		h.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func (h *host) file(name string) string { return filepath.Join(h.dir, name) }

func (h *host) read(name string) string {
	h.Helper()
	text, err := os.ReadFile(h.file(name))
	if err != nil {
		h.Fatal(err)
	}
	return string(text)
}

func (h *host) write(name, text string) {
	h.Helper()
	write(h.T, h.file(name), text)
}

// socket is the service's, by itself; url leads to it by ssh.
func (h *host) socket() string { return "unix://" + h.file("podman.sock") }

func (h *host) url() string {
	return fmt.Sprintf("ssh://%s@127.0.0.1:%s%s", os.Getenv("USER"), h.port, h.file("podman.sock"))
}

// keys are the lines of [general.podman] for this host, with more.
func (h *host) keys(more ...string) []string {
	return append(sshFiles(h.file("id"), h.file("known_hosts")), more...)
}

// sshFiles are the lines that ssh:// needs.
func sshFiles(identity, knownHosts string) []string {
	return []string{fmt.Sprintf("identity = %q", identity), fmt.Sprintf("known_hosts = %q", knownHosts)}
}

// start starts the host, or restarts it.
func (h *host) start() {
	h.Helper()
	h.service = h.daemon("podman", "system", "service", "--time", "0", h.socket())
	h.sshd = h.daemon("/usr/sbin/sshd", "-D", "-f", h.file("sshd_config"), "-E", h.file("sshd.log"))
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		serviceErr := reached("unix", h.file("podman.sock"))
		sshdErr := reached("tcp", "127.0.0.1:"+h.port)
		if serviceErr == nil && sshdErr == nil {
			return
		}
		if time.Now().After(end) {
			h.Fatalf("the host does not start: %v, %v", serviceErr, sshdErr)
		}
	}
}

// reached connects, and leaves at once: sshd soon refuses all (MaxStartups) while others stay who say nothing.
func reached(network, address string) error {
	conn, err := net.Dial(network, address)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

func (h *host) daemon(words ...string) *exec.Cmd {
	h.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	return cmd
}

// die ends the host as a loss of power would, but for its containers.
func (h *host) die() {
	for _, cmd := range []*exec.Cmd{h.sshd, h.service} {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}
	// The children that sshd has for its connections are in sessions of their own.
	for _, pid := range h.connections() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = os.Remove(h.file("podman.sock"))
}

// freeze stops all that the host runs, as where the network is gone: connections
// stay, and nobody answers.
func (h *host) freeze() {
	for _, pid := range append(h.connections(), h.sshd.Process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	_ = syscall.Kill(-h.service.Process.Pid, syscall.SIGSTOP)
}

// connections are the processes that sshd has made for its connections, and theirs:
// each is another process of the host's sshd by what it has open as its log.
func (h *host) connections() []int {
	var pids []int
	found, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range found {
		target, err := os.Readlink(fd)
		if err != nil || target != h.file("sshd.log") {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(fd, "/proc/%d/", &pid); err == nil && pid != h.sshd.Process.Pid {
			pids = append(pids, pid)
		}
	}
	return pids
}

// forgetFailure spares a test the time for which a dead host is not tried again.
func (h *host) forgetFailure() {
	found, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "podman-executor", "ssh-*", "failed"))
	for _, name := range found {
		_ = os.Remove(name)
	}
}
