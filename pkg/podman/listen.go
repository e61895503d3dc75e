package podman

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// maxSockets bounds what is read of a socket table, in bytes: about 25,000 sockets. Listening
// sockets come first (Linux net/ipv4/tcp_ipv4.c, tcp_seek_last_pos); a service may have a
// million others.
const maxSockets = 4 << 20

// Listening reports whether anything in a running container listens on one of the TCP ports, at
// an address that other containers can reach. pid is the container's first process. It reads
// the kernel's tables of the container's network namespace (proc(5), /proc/PID/net/tcp), with
// podman exec if the container is on another machine.
func (p *Podman) Listening(ctx context.Context, name string, pid int, ports []int) bool {
	if p.Remote {
		return p.listeningRemote(ctx, name, ports)
	}
	for _, table := range []string{"tcp", "tcp6"} {
		if listeningIn(fmt.Sprintf("/proc/%d/net/%s", pid, table), ports) {
			return true
		}
	}
	return false
}

func listeningIn(file string, ports []int) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	return listening(io.LimitReader(f, maxSockets), ports)
}

// listeningRemote is Listening by podman exec. It stops reading after maxSockets bytes.
func (p *Podman) listeningRemote(ctx context.Context, name string, ports []int) bool {
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	tables := firstBytes{limit: maxSockets, full: cancel}
	args := []string{"exec", "--", name, "cat", "/proc/net/tcp", "/proc/net/tcp6"}
	if err := p.once(bounded, args, streams{stdout: &tables}); err != nil && !tables.cut {
		return false
	}
	return listening(&tables.buffer, ports)
}

// firstBytes keeps the first bytes written to it, and calls full when there are more.
type firstBytes struct {
	limit  int
	full   func()
	buffer bytes.Buffer
	cut    bool
}

func (b *firstBytes) Write(p []byte) (int, error) {
	room := b.limit - b.buffer.Len()
	b.buffer.Write(p[:min(len(p), room)])
	if len(p) > room && !b.cut {
		b.cut = true
		b.full()
	}
	return len(p), nil
}

// listening reads socket tables up to the first socket that listens on one of the ports. The
// second field is ADDRESS:PORT in hexadecimal, the fourth is the state, 0A for listening.
func listening(tables io.Reader, ports []int) bool {
	for lines := bufio.NewScanner(tables); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != "0A" {
			continue
		}
		address, hex, _ := strings.Cut(fields[1], ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		if err == nil && !isLoopback(address) && slices.Contains(ports, int(port)) {
			return true
		}
	}
	return false
}

// isLoopback reports whether an address is in 127.0.0.0/8, is one of these mapped into IPv6, as
// Java programs listen on, or is ::1. The kernel prints an address as words in the machine's
// byte order.
func isLoopback(address string) bool {
	address = strings.TrimPrefix(address, "0000000000000000FFFF0000")
	return len(address) == 8 && strings.HasSuffix(address, "7F") || address == "00000000000000000000000001000000"
}
