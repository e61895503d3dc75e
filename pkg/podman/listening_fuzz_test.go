package podman

import (
	"bytes"
	"regexp"
	"testing"
)

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
