package podman

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The tables as Linux on a machine of the usual, little-endian byte order prints
// them.
const (
	head4 = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n"
	head6 = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	rest  = " 00000000:00000000 00:00000000 00000000   999        0 26351 1 0000000000000000 100 0 0 10 0                     \n"
)

func line4(address, port, state string) string {
	return "   0: " + address + ":" + port + " 00000000:0000 " + state + rest
}

func line6(address, port, state string) string {
	return "   0: " + address + ":" + port + " 00000000000000000000000000000000:0000 " + state + rest
}

func TestListening(t *testing.T) {
	const any6, loop6, mapped = "00000000000000000000000000000000", "00000000000000000000000001000000", "0000000000000000FFFF0000"
	tests := []struct {
		name  string
		table string
		want  bool
	}{
		{"nothing", "", false},
		{"no sockets", head4 + head6, false},
		{"all addresses", head4 + line4("00000000", "1538", "0A"), true},
		{"one address", head4 + line4("0A01580A", "1538", "0A"), true},
		{"the other port", head4 + line4("00000000", "18EB", "0A"), true},
		{"a port that nobody asks for", head4 + line4("00000000", "1539", "0A"), false},
		{"127.0.0.1", head4 + line4("0100007F", "1538", "0A"), false},
		{"127.0.0.11, podman's or docker's DNS", head4 + line4("0B00007F", "1538", "0A"), false},
		{"an address that ends with 127", head4 + line4("7F00000A", "1538", "0A"), true},
		{"127.0.0.1 and all", head4 + line4("0100007F", "1538", "0A") + line4("00000000", "1538", "0A"), true},
		{"a connection", head4 + line4("0A01580A", "1538", "01"), false},
		{"one that was", head4 + line4("0A01580A", "1538", "06"), false},
		{"IPv6, all", head6 + line6(any6, "1538", "0A"), true},
		{"IPv6, one", head6 + line6("000000FD000000000000000002000000", "1538", "0A"), true},
		{"::1", head6 + line6(loop6, "1538", "0A"), false},
		{"::ffff:127.0.0.1, as Java listens", head6 + line6(mapped+"0100007F", "1538", "0A"), false},
		{"::ffff:10.88.1.10", head6 + line6(mapped+"0A01580A", "1538", "0A"), true},
		{"an IPv6 address that ends with 7F", head6 + line6("000000FD00000000000000000000007F", "1538", "0A"), true},
		{"both tables, loopback only", head4 + line4("0100007F", "1538", "0A") + head6 + line6(loop6, "1538", "0A"), false},
		{"both tables", head4 + line4("0100007F", "1538", "0A") + head6 + line6(any6, "1538", "0A"), true},
		{"no port", head4 + "   0: 00000000 00000000:0000 0A\n", false},
		{"no number", head4 + line4("00000000", "xyz", "0A"), false},
		{"a port that is too large", head4 + line4("00000000", "11538", "0A"), false},
		{"a short line", "0: 00000000:1538\n", false},
	}
	for _, tt := range tests {
		if got := listening(strings.NewReader(tt.table), []int{5432, 6379}); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if listening(strings.NewReader(head4+line4("00000000", "0000", "0A")), nil) {
		t.Error("without a port something listens")
	}
}

// TestListeningHere: this machine's own tables, of this process.
func TestListeningHere(t *testing.T) {
	port := func(network, address string) int {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Skipf("listening on %s: %v", address, err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l.Addr().(*net.TCPAddr).Port
	}
	p := &Podman{Program: "/nonexistent"}
	for address, want := range map[string]bool{"0.0.0.0:0": true, "[::]:0": true, "127.0.0.1:0": false, "127.1.2.3:0": false, "[::1]:0": false} {
		t.Run(address, func(t *testing.T) {
			network := "tcp4"
			if strings.HasPrefix(address, "[") {
				network = "tcp6"
			}
			if got := p.Listening(t.Context(), "n", os.Getpid(), []int{port(network, address)}); got != want {
				t.Errorf("got %v", got)
			}
		})
	}
	if p.Listening(t.Context(), "n", 1<<30, []int{22}) {
		t.Error("a process that does not exist listens")
	}
}

// TestListeningRemote: the container of a podman on another machine is asked itself.
func TestListeningRemote(t *testing.T) {
	p, calls := answers(t, map[string]string{"--url": head4 + line4("00000000", "1538", "0A")})
	p.URL, p.Remote = "unix:///run/elsewhere.sock", true
	if !p.Listening(t.Context(), "n", 1, []int{5432}) || p.Listening(t.Context(), "n", 1, []int{5433}) {
		t.Error("the answer does not count")
	}
	const call = "exec -- n cat /proc/net/tcp /proc/net/tcp6"
	if calls() != call+"\n"+call {
		t.Errorf("got\n%s", calls())
	}
	p, _ = answers(t, map[string]string{"--url": head4 + line4("00000000", "1538", "0A"), "--url.exit": "1"})
	p.URL, p.Remote = "unix:///run/elsewhere.sock", true
	if p.Listening(t.Context(), "n", 1, []int{5432}) {
		t.Error("a command that failed has an answer")
	}
}

// A table is read up to the first socket that is looked for, and no further than
// maxSockets: a service may have a million of them.
func TestListeningAmongMany(t *testing.T) {
	table := &endless{first: head4 + line4("00000000", "1538", "0A"), line: line4("0A01580A", "1538", "01")}
	if !listening(table, []int{5432}) || table.read > 64<<10 {
		t.Errorf("it has read %d bytes behind the socket", table.read)
	}
	p := &Podman{Program: filepath.Join(t.TempDir(), "podman"), URL: "unix:///run/elsewhere.sock", Remote: true}
	script := "#!/bin/sh\nprintf '" + head4 + line4("00000000", "1538", "0A") + "'\nwhile echo '" + line4("0A01580A", "1538", "01") + "'; do :; done\n"
	if err := os.WriteFile(p.Program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if !p.Listening(t.Context(), "n", 1, []int{5432}) || p.Listening(t.Context(), "n", 1, []int{5433}) {
		t.Error("what comes first does not count")
	}
}

// endless is a table that does not end.
type endless struct {
	first, line string
	read        int
}

func (e *endless) Read(p []byte) (int, error) {
	text := e.line
	if e.read == 0 {
		text = e.first
	}
	n := copy(p, text)
	e.read += n
	return n, nil
}

// FuzzListening: a table of sockets, which a service's container may have written itself,
// has a port that listens, or has not.
func FuzzListening(f *testing.F) {
	f.Add([]byte("  sl  local_address rem_address   st\n   0: 00000000:1538 00000000:0000 0A 0\n"), uint16(5432))
	listens := regexp.MustCompile(`:[0-9A-Fa-f]+\s+\S+\s+0A`)
	f.Fuzz(func(t *testing.T, table []byte, port uint16) {
		if listening(bytes.NewReader(table), []int{int(port)}) && !listens.Match(table) {
			t.Errorf("%q: %d listens", table, port)
		}
		if listening(bytes.NewReader(table), nil) {
			t.Errorf("%q: no port listens", table)
		}
	})
}
