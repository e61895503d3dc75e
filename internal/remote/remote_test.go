package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// hosts returns n hosts.
func hosts(n int) []Endpoint {
	list := make([]Endpoint, n)
	for i := range list {
		list[i] = Endpoint{URL: fmt.Sprintf("ssh://ci@node%d.example.org/run/podman.sock", i), Identity: "/id", KnownHosts: "/known"}
	}
	return list
}

func TestOrderIsTheSame(t *testing.T) {
	list := hosts(5)
	backwards := slices.Clone(list)
	slices.Reverse(backwards)
	for key := range 100 {
		want := Order(list, fmt.Sprint(key))
		if !slices.Equal(want, Order(backwards, fmt.Sprint(key))) {
			t.Fatal("it depends on the order in the policy")
		}
		if len(want) != 5 {
			t.Fatalf("got %d hosts", len(want))
		}
	}
	if list[0] != hosts(1)[0] {
		t.Error("the policy's own list was changed")
	}
}

// TestOrderIsEven: each host is the first of as many projects, and the first of one that
// is dead are spread over all others.
func TestOrderIsEven(t *testing.T) {
	const keys = 4000
	first, second := map[string]int{}, map[string]int{}
	for key := range keys {
		order := Order(hosts(4), fmt.Sprintf("podman-executor-abc-0-project-%d-builds", key))
		first[order[0].URL]++
		if order[0] == hosts(1)[0] {
			second[order[1].URL]++
		}
	}
	for _, counts := range []map[string]int{first, second} {
		all := 0
		for _, n := range counts {
			all += n
		}
		for host, n := range counts {
			if even := all / len(counts); n < even*8/10 || n > even*12/10 {
				t.Errorf("%s has %d of %d", host, n, all)
			}
		}
	}
	if len(first) != 4 || len(second) != 3 {
		t.Errorf("got %v, %v", first, second)
	}
}

// TestAddedHost: only projects that the new host gets move.
func TestAddedHost(t *testing.T) {
	const keys = 1000
	moved := 0
	for key := range keys {
		before, after := Order(hosts(4), fmt.Sprint(key)), Order(hosts(5), fmt.Sprint(key))
		without := slices.DeleteFunc(slices.Clone(after), func(h Endpoint) bool { return h == hosts(5)[4] })
		if !slices.Equal(before, without) {
			t.Fatalf("the order of the others has changed: %v, %v", before, after)
		}
		if before[0] != after[0] {
			moved++
		}
	}
	if moved < keys/5*8/10 || moved > keys/5*12/10 {
		t.Errorf("%d of %d projects move, want a fifth", moved, keys)
	}
}

// listen serves an answer on a socket, and returns its URL.
func listen(t *testing.T, answer string) Endpoint {
	t.Helper()
	dir, err := os.MkdirTemp("", "pe-") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if answer == "" {
				_ = conn.Close()
				continue
			}
			if answer != "silence" {
				_, _ = conn.Write([]byte(answer))
			}
		}
	}()
	return Endpoint{URL: "unix://" + socket}
}

func TestConnectToSocket(t *testing.T) {
	h := listen(t, "HTTP/1.1 200 OK\r\nLibpod-Api-Version: 4.3.1\r\n\r\nOK")
	c, err := h.Connect(t.Context(), t.TempDir())
	if err != nil || c.URL != h.URL {
		t.Fatalf("got %v, %v", c, err)
	}
	c.Close()
	for answer, why := range map[string]string{
		"":                               "nobody listens on the socket there",
		"SSH-2.0-x\r\n":                  "what listens on the socket is no podman service",
		"HTTP/1.1 404 Not Found\r\n\r\n": "what listens on the socket is no podman service",
	} {
		h := listen(t, answer)
		_, err := h.Connect(t.Context(), t.TempDir())
		var silent *SilentError
		if !errors.As(err, &silent) || !strings.Contains(err.Error(), why) || silent.Hint() == "" {
			t.Errorf("%q: got %v", answer, err)
		}
	}
	_, err = Endpoint{URL: "unix:///nonexistent/socket"}.Connect(t.Context(), t.TempDir())
	var silent *SilentError
	if !errors.As(err, &silent) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestConnectIsStopped: the caller's end is no dead service.
func TestConnectIsStopped(t *testing.T) {
	h := listen(t, "silence")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.Connect(ctx, t.TempDir()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestSSHArguments: what could make ssh ask somebody, or trust anybody, is off, whatever
// the machine's configuration says.
func TestSSHArguments(t *testing.T) {
	h := Endpoint{URL: "ssh://ci@node:2222/run/user/1/podman.sock", Identity: "/etc/id", KnownHosts: "/etc/known"}
	args, err := h.sshArgs()
	line := strings.Join(args, " ")
	if err != nil || !strings.HasPrefix(line, "-F none -N -T -f -M -S control -o ") ||
		!strings.HasSuffix(line, " -L ./podman.sock:/run/user/1/podman.sock -p 2222 -l ci -- node") {
		t.Errorf("got %s, %v", line, err)
	}
	for _, option := range []string{
		"BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=/etc/known", "GlobalKnownHostsFile=/dev/null",
		"UpdateHostKeys=no", "IdentitiesOnly=yes", "IdentityAgent=none", "IdentityFile=/etc/id", "PreferredAuthentications=publickey",
		"ForwardAgent=no", "ExitOnForwardFailure=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3", "ControlPersist=60",
	} {
		if !strings.Contains(line, " -o "+option+" ") {
			t.Errorf("%s is missing: %s", option, line)
		}
	}
	args, err = Endpoint{URL: "ssh://[fe80::1]/p", Identity: "/i", KnownHosts: "/k"}.sshArgs()
	if line := strings.Join(args, " "); err != nil || !strings.HasSuffix(line, " -L ./podman.sock:/p -- fe80::1") {
		t.Errorf("got %s, %v", line, err)
	}
}

// TestWhatSSHSays: words of OpenSSH 9.2.
// The environment of ssh is a fixed list: nothing of a job's, nor of who calls the driver.
func TestEnvironmentOfSSH(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "ssh")
	if err := os.WriteFile(program, []byte("#!/bin/sh\ncat /proc/$$/environ >environ\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	defer func(programs []string) { sshPrograms = programs }(sshPrograms)
	sshPrograms = []string{program}
	for _, name := range []string{"CUSTOM_ENV_A", "LD_PRELOAD", "SSH_AUTH_SOCK", "SSH_ASKPASS", "GCONV_PATH", "HOME"} {
		t.Setenv(name, "/nonexistent/of-a-job")
	}
	if err := hosts(1)[0].ssh(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "environ"))
	if want := "PATH=/usr/bin:/bin\x00LC_ALL=C.UTF-8\x00"; string(got) != want || err != nil {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func TestWhatSSHSays(t *testing.T) {
	h := Endpoint{URL: "ssh://ci@node:2222/p", Identity: "/etc/id", KnownHosts: "/etc/known"}
	for said, want := range map[string]string{
		"@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\r\n":                                   "the host has another key than /etc/known says",
		"No ED25519 host key is known for [node]:2222 and you have requested strict checking.\r\nHost key verification failed.\r\n": "the host's key is not in /etc/known",
		"ci@node: Permission denied (publickey).\r\n":                                                                               "the host does not accept the key /etc/id",
		"Load key \"/etc/id\": Permission denied\r\nci@node: Permission denied (publickey).\r\n":                                    "the private key /etc/id cannot be used: Load key \"/etc/id\": Permission denied",
	} {
		err := h.explain(t.Context(), t.TempDir(), said, errors.New("exit status 255"))
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.HasSuffix(err.Error(), ": "+want) || refused.Hint() == "" {
			t.Errorf("%q: got %v", said, err)
		}
	}
	dir := t.TempDir()
	for said, want := range map[string]string{
		"ssh: connect to host node port 2222: Connection refused\r\n":     "ssh: connect to host node port 2222: Connection refused",
		"ssh: Could not resolve hostname node: Name or service not known": "ssh: Could not resolve hostname node: Name or service not known",
		"": "exit status 255",
	} {
		err := h.explain(t.Context(), dir, said, errors.New("exit status 255"))
		var silent *SilentError
		if !errors.As(err, &silent) || !strings.HasSuffix(err.Error(), "does not answer: "+want) {
			t.Errorf("%q: got %v", said, err)
		}
		if failedLately(dir) != want {
			t.Errorf("it keeps %q", failedLately(dir))
		}
	}
	if err := os.Chtimes(filepath.Join(dir, failedFile), time.Now(), time.Now().Add(-failedTime-time.Second)); err != nil {
		t.Fatal(err)
	}
	if why := failedLately(dir); why != "" {
		t.Errorf("an old failure counts: %q", why)
	}
}
