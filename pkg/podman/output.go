package podman

import (
	"bytes"
	"io"
	"strings"
)

const (
	// maxOutput bounds what is kept of a command's standard output, in bytes.
	maxOutput = 16 << 20
	// maxStderr bounds what is kept of the end of a command's standard error, in bytes. podman
	// says there what went wrong.
	maxStderr = 4 << 10
)

// bounded keeps the first maxOutput bytes written to it.
type bounded struct {
	buffer bytes.Buffer
	cut    bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := maxOutput - b.buffer.Len()
	if len(p) > room {
		b.cut = true
		b.buffer.Write(p[:room])
		return len(p), nil
	}
	b.buffer.Write(p)
	return len(p), nil
}

// tail keeps the last maxStderr bytes written to it, and the first maxHead.
type tail struct{ buffer, head []byte }

// maxHead bounds what is kept of the beginning of a command's standard error, in bytes. If
// podman crashes, it says why there, before stacks and registers.
const maxHead = 1 << 10

// crashes are the prefixes of that line, as Go's runtime writes it (runtime/panic.go,
// runtime/cgo/gcc_util.c).
var crashes = []string{"panic: ", "fatal error: ", "runtime: ", "runtime/cgo: "}

// crash returns why podman crashed, or an empty string if it did not.
func (t *tail) crash() string {
	for line := range strings.Lines(string(t.head)) {
		for _, begin := range crashes {
			if strings.HasPrefix(line, begin) {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}

func (t *tail) Write(p []byte) (int, error) {
	t.head = append(t.head, p[:min(len(p), maxHead-len(t.head))]...)
	t.buffer = append(t.buffer, p...)
	if extra := len(t.buffer) - maxStderr; extra > 0 {
		t.buffer = append(t.buffer[:0], t.buffer[extra:]...)
	}
	return len(p), nil
}

// message returns the tail as one line, without podman's prefix. Warnings are left out if there
// is anything else: they are about things that succeeded later, such as the first attempts of a
// pull. For a crash it is only the reason.
func (t *tail) message() string {
	if crash := t.crash(); crash != "" {
		return crash
	}
	var errs, warnings []string
	for _, line := range strings.Split(strings.TrimSpace(string(t.buffer)), "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(line, "Error: "))
		switch {
		case line == "":
		case strings.HasPrefix(line, "time=") && strings.Contains(line, " level=warning "):
			warnings = append(warnings, line)
		default:
			errs = append(errs, line)
		}
	}
	if len(errs) == 0 {
		errs = warnings
	}
	return strings.Join(errs, "; ")
}

// begin returns the beginning of what was written, if the tail does not have it.
func (t *tail) begin() string {
	if len(t.buffer) < maxStderr {
		return ""
	}
	return string(t.head)
}

// retried reports whether podman says that it has already retried (containers/common
// pkg/retry/retry.go).
func (t *tail) retried() bool { return bytes.Contains(t.buffer, []byte("Failed, retrying in ")) }

var _ io.Writer = (*tail)(nil)

// sieve passes on what is written to it, but not the lines that takes returns true for. Without
// takes it passes on everything as it comes.
type sieve struct {
	to    io.Writer
	takes func(line string) bool
	part  []byte
}

func (s *sieve) Write(p []byte) (int, error) {
	if s.takes == nil {
		return s.to.Write(p)
	}
	s.part = append(s.part, p...)
	for {
		line, rest, whole := bytes.Cut(s.part, []byte("\n"))
		if !whole && len(line) <= maxLine {
			return len(p), nil
		}
		if !whole || !s.takes(string(line)) {
			_, _ = s.to.Write(s.part[:len(s.part)-len(rest)])
		}
		s.part = append(s.part[:0], rest...)
	}
}

// end passes on a last line without its end.
func (s *sieve) end() {
	_, _ = s.to.Write(s.part)
	s.part = nil
}
