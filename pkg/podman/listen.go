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

// maxSockets bounds what is read of a table of sockets, in bytes: some 25,000 sockets.
// Those that listen come first (Linux net/ipv4/tcp_ipv4.c, tcp_seek_last_pos); a service
// may have a million of others.
const maxSockets = 4 << 20

// Listening reports whether a process in a running container, which has that PID,
// listens on one of the TCP ports, on an address that other containers reach. It
// looks at the kernel's tables of the container's network namespace (proc(5),
// /proc/PID/net/tcp), by podman exec where the container is on another machine.
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

// listeningRemote stops reading where there is more than maxSockets.
func (p *Podman) listeningRemote(ctx context.Context, name string, ports []int) bool {
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	tables := firstBytes{limit: maxSockets, full: cancel}
	args := []string{"exec", "--", name, "cat", "/proc/net/tcp", "/proc/net/tcp6"}
	if err := p.once(bounded, args, nil, &tables); err != nil && !tables.cut {
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

// listening reads tables of sockets up to the first that listens on one of the ports:
// the second field is ADDRESS:PORT in hexadecimal, the fourth the state, 0A for one that
// listens.
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

// isLoopback knows 127.0.0.0/8, alone and mapped into IPv6, as programs in Java
// listen, and ::1. The kernel prints an address as words of the machine's byte order.
func isLoopback(address string) bool {
	address = strings.TrimPrefix(address, "0000000000000000FFFF0000")
	return len(address) == 8 && strings.HasSuffix(address, "7F") || address == "00000000000000000000000001000000"
}
