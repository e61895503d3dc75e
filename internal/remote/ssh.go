package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"podman-executor/internal/filelock"
	"podman-executor/internal/process"
	"podman-executor/internal/trust"
)

const (
	// connectTime is how long a host may take to answer ssh, sshTime how long ssh may take in
	// all; aliveTime is the time between two checks that the host is still there: three without
	// an answer end the connection.
	connectTime = 10 * time.Second
	sshTime     = 20 * time.Second
	aliveTime   = 5 * time.Second
	// idleTime is how long an unused ssh stays: between two program calls of a job, and between
	// two jobs.
	idleTime = 60 * time.Second
	// failedTime is how long a host that could not be reached is not tried again.
	failedTime = 15 * time.Second
)

// sshPrograms are where ssh may be. The caller's PATH is not used.
var sshPrograms = []string{"/usr/bin/ssh", "/usr/local/bin/ssh", "/bin/ssh"}

// The files in the directory of one host.
const socketFile, controlFile, lockFile, failedFile = "podman.sock", "control", "lock", "failed"

// tunnel forwards the service's socket to this machine, unless another program has done so.
// One ssh does it for all programs of all jobs, and lives longer than they do.
func (e Endpoint) tunnel(ctx context.Context, parent string) (*Connection, error) {
	dir := e.directory(parent)
	if err := trust.MakeDir(dir, trust.Self()); err != nil {
		return nil, fmt.Errorf("creating the directory for ssh: %w", err)
	}
	socket := filepath.Join(dir, socketFile)
	held, err := ask(ctx, socket)
	if err == nil {
		return &Connection{URL: unixScheme + socket, held: held}, nil
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the directory of ssh: %w", err)
	}
	defer lock.Close()
	if err := wait(ctx, lock); err != nil {
		return nil, err
	}
	if why := failedLately(dir); why != "" {
		return nil, silent(ctx, e.URL, errors.New(why))
	}
	if held, err = e.underLock(ctx, dir, err); err != nil {
		return nil, err
	}
	_ = os.Remove(filepath.Join(dir, failedFile))
	return &Connection{URL: unixScheme + socket, held: held}, nil
}

// underLock starts ssh if it does not run, and asks the service again. first is why the service
// did not answer before.
func (e Endpoint) underLock(ctx context.Context, dir string, first error) (net.Conn, error) {
	socket := filepath.Join(dir, socketFile)
	if isThere(ctx, filepath.Join(dir, controlFile)) {
		// ssh has the host, maybe since another program started it a moment ago.
		if errors.Is(first, errLate) {
			return nil, e.failed(ctx, dir, first)
		}
	} else {
		// The socket of a killed ssh would hide the next one.
		_ = os.Remove(filepath.Join(dir, controlFile))
		if err := e.ssh(ctx, dir); err != nil {
			return nil, err
		}
	}
	held, err := ask(ctx, socket)
	if err != nil {
		return nil, e.failed(ctx, dir, err)
	}
	return held, nil
}

// isThere reports whether the ssh with that control socket runs.
func isThere(ctx context.Context, control string) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", control)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// directory returns the directory of one host, below parent. Its path is short, as a socket's
// must be (unix(7): 107 bytes).
func (e Endpoint) directory(parent string) string {
	hash := sha256.Sum256([]byte(e.URL + "\x00" + e.Identity + "\x00" + e.KnownHosts))
	return filepath.Join(parent, "ssh-"+hex.EncodeToString(hash[:6]))
}

// lockPause is the time between two tries to get a lock.
const lockPause = 20 * time.Millisecond

// wait locks a file, unless ctx ends first. Nobody holds the lock for longer than answerTime
// and sshTime.
func wait(ctx context.Context, lock *os.File) error {
	for {
		err := filelock.Try(lock, filelock.Exclusive)
		if !errors.Is(err, filelock.ErrHeld) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

// failedLately returns why the host could not be reached a moment ago; empty if it was reached
// or not tried. So jobs that begin at the same time wait only once for a dead host.
func failedLately(dir string) string {
	name := filepath.Join(dir, failedFile)
	info, err := os.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	if age := time.Since(info.ModTime()); age < 0 || age > failedTime {
		return ""
	}
	text, _ := os.ReadFile(name)
	return string(text)
}

// failed records why a host could not be reached, and returns the error for that.
func (e Endpoint) failed(ctx context.Context, dir string, err error) error {
	if ctx.Err() == nil {
		_ = os.WriteFile(filepath.Join(dir, failedFile), []byte(err.Error()), 0o600)
	}
	return silent(ctx, e.URL, err)
}

// ssh starts the ssh that forwards the socket. When the socket is there, ssh goes to the
// background and no longer belongs to this process.
func (e Endpoint) ssh(ctx context.Context, dir string) error {
	program := ""
	for _, name := range sshPrograms {
		if info, err := os.Stat(name); err == nil && process.IsProgram(info) {
			program = name
			break
		}
	}
	if program == "" {
		return &RefusedError{URL: e.URL, Err: errors.New("ssh is not installed on this machine"), hint: "install OpenSSH's client (openssh-client or openssh-clients)"}
	}
	if err := trust.Path(program, trust.Self()); err != nil {
		return &RefusedError{URL: e.URL, Err: fmt.Errorf("ssh cannot be trusted: %w", err), hint: trust.Hint(err)}
	}
	args, err := e.sshArgs()
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, sshTime)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(bounded, program, args...)
	cmd.Dir = dir
	// Built from scratch: no SSH_AUTH_SOCK, no SSH_ASKPASS.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	process.OwnGroup(cmd)
	err = cmd.Run()
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return nil
	case bounded.Err() != nil:
		return e.failed(ctx, dir, fmt.Errorf("ssh took longer than %s", sshTime))
	}
	return e.explain(ctx, dir, said.String(), err)
}

// sshArgs are ssh's arguments. Files in its directory have relative names, so nothing is
// expanded in their path, and it may be long.
func (e Endpoint) sshArgs() ([]string, error) {
	u, err := url.Parse(e.URL)
	if err != nil || u.Hostname() == "" || u.Path == "" {
		return nil, errors.New("reaching podman's service: its address is not an ssh:// URL")
	}
	seconds := func(d time.Duration) string { return fmt.Sprint(int(d.Seconds())) }
	args := []string{"-F", "none", "-N", "-T", "-f", "-M", "-S", controlFile}
	for _, option := range []string{
		"ControlPersist=" + seconds(idleTime),
		"BatchMode=yes", "StrictHostKeyChecking=yes",
		"UserKnownHostsFile=" + e.KnownHosts, "GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no",
		"IdentitiesOnly=yes", "IdentityAgent=none", "IdentityFile=" + e.Identity,
		"PreferredAuthentications=publickey", "ForwardAgent=no",
		"ConnectTimeout=" + seconds(connectTime), "ConnectionAttempts=1",
		"ServerAliveInterval=" + seconds(aliveTime), "ServerAliveCountMax=3",
		"ExitOnForwardFailure=yes", "StreamLocalBindUnlink=yes", "StreamLocalBindMask=0177", "LogLevel=ERROR",
	} {
		args = append(args, "-o", option)
	}
	args = append(args, "-L", "./"+socketFile+":"+u.Path)
	if port := u.Port(); port != "" {
		args = append(args, "-p", port)
	}
	if user := u.User.Username(); user != "" {
		args = append(args, "-l", user)
	}
	return append(args, "--", u.Hostname()), nil
}

// explain returns the error for what ssh wrote: a *[RefusedError] if a key is wrong, else the
// error of a dead host (OpenSSH sshconnect.c, sshconnect2.c, authfile.c).
func (e Endpoint) explain(ctx context.Context, dir, said string, err error) error {
	refused := func(why, hint string) error {
		return &RefusedError{URL: e.URL, Err: errors.New(why), hint: hint}
	}
	u, _ := url.Parse(e.URL)
	look := "ssh-keyscan " + u.Hostname()
	if u.Port() != "" {
		look = "ssh-keyscan -p " + u.Port() + " " + u.Hostname()
	}
	switch {
	case strings.Contains(said, "REMOTE HOST IDENTIFICATION HAS CHANGED"):
		return refused("the host's key differs from the one in "+e.KnownHosts,
			"this may be the wrong machine; if the host has a new key, replace its line in "+e.KnownHosts+" (general.podman.known_hosts); `"+look+"` prints its present key; compare that with the host itself")
	case strings.Contains(said, "Host key verification failed"):
		return refused("the host's key is not in "+e.KnownHosts,
			"add its line to "+e.KnownHosts+" (general.podman.known_hosts): `"+look+"` prints it; compare it with /etc/ssh/*.pub on the host")
	case strings.Contains(said, "UNPROTECTED PRIVATE KEY"), strings.Contains(said, "Load key"), strings.Contains(said, "not accessible"):
		return refused("the private key "+e.Identity+" cannot be used: "+lineWith(said, "Load key", "not accessible", "UNPROTECTED"),
			"make "+e.Identity+" (general.podman.identity) a private key without a passphrase, owned by gitlab-runner's user, mode 0600")
	case strings.Contains(said, "Permission denied"), strings.Contains(said, "Too many authentication failures"):
		return refused("the host does not accept the key "+e.Identity,
			"add "+e.Identity+".pub to ~/.ssh/authorized_keys of the user there (general.podman.identity, and the user of the address)")
	}
	if line := lastLine(said); line != "" {
		err = errors.New(line)
	}
	return e.failed(ctx, dir, err)
}

// lineWith returns the first line that has one of the words, which are tried in order.
func lineWith(text string, words ...string) string {
	for _, word := range words {
		for line := range strings.Lines(text) {
			if strings.Contains(line, word) {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
