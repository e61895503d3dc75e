// Package remote connects to podman services: on this machine by their sockets, on other
// machines with OpenSSH's ssh, which forwards their sockets.
//
// podman's own ssh client is never used: it knows no known_hosts file but ~/.ssh/known_hosts,
// and trusts a host that is not in there (containers/common pkg/ssh/connection_golang.go,
// ValidateAndConfigure; podman 4.3.1). See docs/decisions/0028.
package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Endpoint is the address of a podman service, and what ssh needs to get there.
type Endpoint struct {
	// URL is "unix://PATH" or "ssh://[USER@]HOST[:PORT]PATH".
	URL string
	// Identity is the file with the private key, KnownHosts the file with the hosts' keys; both
	// are for ssh:// only.
	Identity, KnownHosts string
}

const unixScheme, sshScheme = "unix://", "ssh://"

// IsRemote reports whether the service is on another machine.
func (e Endpoint) IsRemote() bool { return strings.HasPrefix(e.URL, sshScheme) }

// Connection is a service that has answered.
type Connection struct {
	// URL is what podman gets: the socket on this machine, "unix://PATH".
	URL  string
	held net.Conn
}

// Close closes the connection. An ssh that forwards the socket ends by itself when nobody has
// used it for idleTime.
func (c *Connection) Close() { _ = c.held.Close() }

// SilentError is the error of a service that does not answer: its host, or podman on it, is
// down.
type SilentError struct {
	URL string
	Err error
}

// Error returns the address and why the service counts as dead.
func (e *SilentError) Error() string {
	return fmt.Sprintf("the podman service %s does not answer: %v", e.URL, e.Err)
}

func (e *SilentError) Unwrap() error { return e.Err }

// Hint returns what the administrator can do.
func (e *SilentError) Hint() string {
	if (Endpoint{URL: e.URL}).IsRemote() {
		return "check that the host is up, that its sshd forwards sockets (AllowStreamLocalForwarding), and that podman listens there: `systemctl --user status podman.socket` as the user in the address"
	}
	return "check that podman listens there, and that gitlab-runner's user may open the socket: `systemctl status podman.socket`"
}

// RefusedError is the error of a host that ssh does not trust, or that does not trust this
// user.
type RefusedError struct {
	URL string
	Err error
	// hint is what the administrator can do.
	hint string
}

// Error returns the address and what ssh wrote.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("cannot connect to the podman service %s: %v", e.URL, e.Err)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// Hint returns what the administrator can do.
func (e *RefusedError) Hint() string { return e.hint }

// answerTime is how long a service may take to answer: systemd may have to start it.
const answerTime = 10 * time.Second

// Connect makes sure that the service answers. dir is the directory for ssh's files, which must
// be private to this user. If the service does not answer, the error is a *[SilentError], after
// sshTime and answerTime at most; for a host that is not the right one, a *[RefusedError].
func (e Endpoint) Connect(ctx context.Context, dir string) (*Connection, error) {
	if e.IsRemote() {
		return e.tunnel(ctx, dir)
	}
	socket := strings.TrimPrefix(e.URL, unixScheme)
	held, err := ask(ctx, socket)
	if err != nil {
		return nil, silent(ctx, e.URL, err)
	}
	return &Connection{URL: unixScheme + socket, held: held}, nil
}

// silent returns the error for a service that did not answer; the error of ctx if that has
// ended.
func silent(ctx context.Context, url string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &SilentError{URL: url, Err: err}
}

// errLate is the error of a service that took longer than answerTime.
var errLate = fmt.Errorf("no answer within %s", answerTime)

// ask checks that the service behind a socket answers, and returns the connection. While that
// is open, an ssh in between is not idle.
func ask(ctx context.Context, socket string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	line, err := ping(conn)
	switch {
	case err != nil && ctx.Err() != nil:
		err = errLate
	case err != nil:
		err = fmt.Errorf("nothing listens on the socket there (%w)", err)
	case !strings.HasPrefix(line, "HTTP/1.1 200 "):
		err = errors.New("what listens on the socket is not a podman service")
	default:
		return conn, nil
	}
	_ = conn.Close()
	return nil, err
}

// ping sends the request that podman's own client sends first (podman
// pkg/bindings/connection.go), and returns the first line of the answer.
func ping(conn net.Conn) (string, error) {
	if _, err := conn.Write([]byte("GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}
