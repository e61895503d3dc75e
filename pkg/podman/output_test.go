package podman

import (
	"fmt"
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	var all tail
	for i := range maxStderr {
		n, err := fmt.Fprintf(&all, "%d\n", i)
		if want := len(fmt.Sprintf("%d\n", i)); n != want || err != nil {
			t.Fatalf("wrote %d, %v, want %d", n, err, want)
		}
	}
	if !strings.HasSuffix(string(all.buffer), fmt.Sprintf("\n%d\n", maxStderr-1)) || len(all.buffer) != maxStderr {
		t.Errorf("got %d bytes, ending %q", len(all.buffer), all.buffer[len(all.buffer)-20:])
	}
	var one tail
	_, _ = one.Write([]byte(strings.Repeat("x", 3*maxStderr) + "end"))
	if !strings.HasSuffix(string(one.buffer), "xend") || len(one.buffer) != maxStderr {
		t.Errorf("of one write: got %d bytes", len(one.buffer))
	}
}

func TestMessage(t *testing.T) {
	const warning = `time="2026-11-21T18:42:42Z" level=warning msg="Failed, retrying in 1s ... (1/3). Error: dial tcp"`
	tests := []struct{ said, want string }{
		{"", ""},
		{"\n \n", ""},
		{"Error: no such image\n", "no such image"},
		{"Error: one:\n\ttwo\nError: three", "one:; two; three"},
		{warning + "\nError: manifest unknown\n", "manifest unknown"},
		{warning + "\n", warning},
		{`time="now" level=error msg="bad"`, `time="now" level=error msg="bad"`},
	}
	for _, tt := range tests {
		all := tail{buffer: []byte(tt.said)}
		if got := all.message(); got != tt.want {
			t.Errorf("message of %q = %q, want %q", tt.said, got, tt.want)
		}
	}
}

// TestCrash: of a podman that crashes the reason is kept, and not the registers.
func TestCrash(t *testing.T) {
	for _, reason := range []string{
		"runtime/cgo: pthread_create failed: Resource temporarily unavailable",
		"panic: runtime error: index out of range [1] with length 1",
		"fatal error: newosproc",
	} {
		var all tail
		fmt.Fprintf(&all, "%s\nSIGABRT: abort\n", reason)
		for range maxStderr {
			fmt.Fprint(&all, "0x00007fff052480d0:  0x0000000000000000\n")
		}
		if got := all.message(); got != reason || len(all.head) != maxHead {
			t.Errorf("got %q, %d bytes kept", got, len(all.head))
		}
	}
}

func TestBounded(t *testing.T) {
	var b bounded
	if n, err := b.Write(make([]byte, maxOutput)); n != maxOutput || err != nil || b.cut {
		t.Errorf("the first %d bytes: %d, %v, cut %v", maxOutput, n, err, b.cut)
	}
	// A writer that returned less than it got would end podman's output early.
	if n, err := b.Write([]byte("xyz")); n != 3 || err != nil || !b.cut || b.buffer.Len() != maxOutput {
		t.Errorf("what is too much: %d, %v, cut %v, %d kept", n, err, b.cut, b.buffer.Len())
	}
}
