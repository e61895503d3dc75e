package podman

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// TestListeningElsewhere: the container of a podman on another machine is asked itself.
func TestListeningElsewhere(t *testing.T) {
	p, calls := answers(t, map[string]string{"--url": head4 + line4("00000000", "1538", "0A")})
	p.URL, p.Elsewhere = "unix:///run/elsewhere.sock", true
	if !p.Listening(t.Context(), "n", 1, []int{5432}) || p.Listening(t.Context(), "n", 1, []int{5433}) {
		t.Error("the answer does not count")
	}
	const call = "exec -- n cat /proc/net/tcp /proc/net/tcp6"
	if calls() != call+"\n"+call {
		t.Errorf("got\n%s", calls())
	}
	p, _ = answers(t, map[string]string{"--url": head4 + line4("00000000", "1538", "0A"), "--url.exit": "1"})
	p.URL, p.Elsewhere = "unix:///run/elsewhere.sock", true
	if p.Listening(t.Context(), "n", 1, []int{5432}) {
		t.Error("a command that failed has an answer")
	}
}

// TestServiceArgs: the command lines, with hostile names behind `--`.
func TestServiceArgs(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.FixedZone("", 3600))
	labels := map[string]string{"b": "2", "a": "1", "c": ""}
	tests := []struct {
		name string
		call func(p *Podman) error
		want string
	}{
		{"create a network", func(p *Podman) error {
			return p.CreateNetwork(t.Context(), CreateNetwork{Name: "-n", Labels: labels, IPv6: true, MTU: 1400, Isolate: IsolateAll})
		}, "network create --label a=1 --label b=2 --label c= --ipv6 --opt mtu=1400 --opt isolate=strict -- -n"},
		{"create a bare network", func(p *Podman) error { return p.CreateNetwork(t.Context(), CreateNetwork{Name: "n"}) }, "network create -- n"},
		{"remove networks", func(p *Podman) error { return p.RemoveNetworks(t.Context(), "-n", "m") }, "network rm --force -- -n\nnetwork rm --force -- m"},
		{"remove no networks", func(p *Podman) error { return p.RemoveNetworks(t.Context()) }, ""},
		{"start a service", func(p *Podman) error { return p.StartDetached(t.Context(), "-n") }, "start -- -n"},
		{"logs", func(p *Podman) error { _, err := p.Logs(t.Context(), "-n", time.Time{}, 20); return err }, "logs --tail 20 -- -n"},
		{"logs since", func(p *Podman) error { _, err := p.Logs(t.Context(), "n", since, -1); return err }, "logs --tail -1 --since 2026-01-02T02:04:05.6Z -- n"},
	}
	for _, tt := range tests {
		p, calls := answers(t, nil)
		if err := tt.call(p); err != nil || calls() != tt.want {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", tt.name, err, calls(), tt.want)
		}
	}
}

func TestNetworks(t *testing.T) {
	p, calls := answers(t, map[string]string{"network": `[{"name": "a", "id": "1", "labels": {"k": "v"}}, {"name": "b", "driver": "bridge", "labels": null}]`})
	list, err := p.Networks(t.Context(), "k", "k", "absent")
	if err != nil || len(list) != 2 || list[0].Name != "a" || list[0].Labels["k"] != "v" || list[1].Name != "b" || len(list[1].Labels) != 0 {
		t.Errorf("got %+v, %v", list, err)
	}
	if want := "network ls --filter label=k --format TEMPLATE"; calls() != want {
		t.Errorf("got %s", calls())
	}
	p, _ = answers(t, map[string]string{"network": "[]"})
	if list, err := p.Networks(t.Context(), "k"); len(list) != 0 || err != nil {
		t.Errorf("of none: %+v, %v", list, err)
	}
	p, _ = answers(t, map[string]string{"network": "x"})
	if _, err := p.Networks(t.Context(), "k"); err == nil || !strings.HasPrefix(err.Error(), "podman network ls: reading its output: ") {
		t.Errorf("of no JSON: %v", err)
	}
	p, _ = answers(t, map[string]string{"network.exit": "125", "network.stderr": "Error: broken"})
	if _, err := p.Networks(t.Context(), "k"); err == nil || err.Error() != "podman network ls: exit status 125: broken" {
		t.Errorf("of a podman that fails: %v", err)
	}
}

// TestRemoveNetworksMissing: one that is gone is as good as removed.
func TestRemoveNetworksMissing(t *testing.T) {
	tests := []struct {
		code, said string
		wrong      bool
	}{
		{"1", "Error: unable to find network with name or ID n: network not found\n", false},
		{"2", "Error: network n has associated containers with it\n", true},
		{"1", "Error: netavark: not found\n", true},
		{"1", "Error: cannot delete network\n", true},
	}
	for _, tt := range tests {
		p, calls := answers(t, map[string]string{"network.exit": tt.code, "network.stderr": tt.said})
		err := p.RemoveNetworks(t.Context(), "n", "m")
		if (err != nil) != tt.wrong {
			t.Errorf("%s: %v", tt.said, err)
		}
		if got := strings.Count(calls(), "network rm "); !tt.wrong && got != 2 {
			t.Errorf("%s: %d networks were removed, want 2", tt.said, got)
		}
	}
}

func TestLogs(t *testing.T) {
	p, _ := answers(t, map[string]string{"logs": "one\r\n\ntwo  \n", "logs.exit": "0"})
	if got, err := p.Logs(t.Context(), "n", time.Time{}, 5); err != nil || !slices.Equal(got, []string{"one", "", "two  "}) {
		t.Errorf("got %q, %v", got, err)
	}
	p, _ = answers(t, map[string]string{"logs.stderr": "said on stderr"})
	if got, err := p.Logs(t.Context(), "n", time.Time{}, 5); err != nil || !slices.Equal(got, []string{"said on stderr"}) {
		t.Errorf("got %q, %v", got, err)
	}
	p, _ = answers(t, map[string]string{"logs.stderr": "Error: no container\n", "logs.exit": "125"})
	if got, err := p.Logs(t.Context(), "n", time.Time{}, 5); err == nil || err.Error() != "podman logs: exit status 125" || !slices.Equal(got, []string{"Error: no container"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestHealthy(t *testing.T) {
	tests := []struct {
		test []string
		call string
	}{
		{nil, ""},
		{[]string{"NONE"}, ""},
		{[]string{"CMD"}, ""},
		{[]string{"CMD", "pg_isready", "-U", "a b"}, "exec -- n pg_isready -U a b"},
		{[]string{"CMD-SHELL", "redis-cli ping || exit 1"}, "exec -- n sh -c redis-cli ping || exit 1"},
	}
	for _, tt := range tests {
		for code, want := range map[int]bool{0: true, 1: tt.call == "", 125: tt.call == ""} {
			p, calls := answers(t, map[string]string{"exec.exit": strconv.Itoa(code)})
			if got := p.Healthy(t.Context(), "n", HealthCheck{Test: tt.test}); got != want || calls() != tt.call {
				t.Errorf("%q that ends with %d: %v, by\n%s", tt.test, code, got, calls())
			}
		}
	}
}

func TestPIDs(t *testing.T) {
	p, calls := answers(t, map[string]string{"container": "a 4711\nb 0\n"})
	pids, err := p.PIDs(t.Context(), "a", "b")
	if diff := cmp.Diff(map[string]int{"a": 4711, "b": 0}, pids); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if call := "container inspect --format {{.Name}} {{.State.Pid}} -- a b"; calls() != call {
		t.Errorf("got %s", calls())
	}
	// One that is gone does not hide the others.
	p, _ = answers(t, map[string]string{"container": "a 4711\n", "container.exit": "125", "container.stderr": "Error: inspecting object: no such container b"})
	pids, err = p.PIDs(t.Context(), "a", "b")
	if diff := cmp.Diff(map[string]int{"a": 4711}, pids); err != nil || diff != "" {
		t.Errorf("one is gone: %v (-want +got):\n%s", err, diff)
	}
	for _, files := range []map[string]string{{"container": "a x\n"}, {"container": "a\n"}, {"container": "a 1\n", "container.exit": "125"}} {
		p, _ := answers(t, files)
		if pids, err := p.PIDs(t.Context(), "a"); len(pids) > 0 || err == nil {
			t.Errorf("%v: %v", files, pids)
		}
	}
}

// A table is read up to the first socket that is looked for, and no further than
// maxSockets: a service may have a million of them.
func TestListeningAmongMany(t *testing.T) {
	table := &endless{first: head4 + line4("00000000", "1538", "0A"), line: line4("0A01580A", "1538", "01")}
	if !listening(table, []int{5432}) || table.read > 64<<10 {
		t.Errorf("it has read %d bytes behind the socket", table.read)
	}
	p := &Podman{Program: filepath.Join(t.TempDir(), "podman"), URL: "unix:///run/elsewhere.sock", Elsewhere: true}
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
