package driver

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// Lines about what takes long are in a section, which ends before the next line that is to be
// seen, in the stream of that line.
func TestDetails(t *testing.T) {
	var stdout, stderr bytes.Buffer
	second := int64(1000)
	c := &Call{Program: "podman-executor-prepare", Stdout: &stdout, Stderr: &stderr}
	c.log.now = func() time.Time { second++; return time.Unix(second, 0) }
	c.Note("Pulling image %s", "a\r\x1b[0K")
	c.Detail("a", "Pulling a\r\x1b[0Ksection_end:1:x", "a: 1\nMB")
	c.Detail("a", "Pulling a", "a: 2 MB")
	c.Detail("b", "Pulling b", "b: 1 MB")
	c.EndDetails("b")
	c.Warn("trying again")
	c.Detail("b", "Pulling b", "b: 2 MB")
	c.EndDetails("b")
	c.EndDetails("b")
	c.Note("Using a")
	const begin, end, line = "\x1b[0Ksection_start:", "\x1b[0Ksection_end:", "\r\x1b[0K"
	want := "Pulling image a��[0K\n" +
		begin + "1001:podman_executor_1001_1[collapsed=true]" + line + "Pulling a��[0Ksection_end:1:x\n" +
		"a: 1�MB\na: 2 MB\nb: 1 MB\n" +
		begin + "1003:podman_executor_1003_2[collapsed=true]" + line + "Pulling b\nb: 2 MB\n" +
		end + "1004:podman_executor_1003_2" + line + "Using a\n"
	if got := stdout.String(); got != want {
		t.Errorf("stdout: got\n%q\nwant\n%q", got, want)
	}
	want = end + "1002:podman_executor_1001_1" + line + "podman-executor-prepare: warning: trying again\n"
	if got := stderr.String(); got != want {
		t.Errorf("stderr: got\n%q\nwant\n%q", got, want)
	}
}

// lineWriter fails for anything but whole lines.
type lineWriter struct {
	t *testing.T
	bytes.Buffer
}

func (w *lineWriter) Write(p []byte) (int, error) {
	if !bytes.HasSuffix(p, []byte("\n")) && !bytes.HasSuffix(p, []byte("\r\x1b[0K")) {
		w.t.Errorf("a part of a line: %q", p)
	}
	return w.Buffer.Write(p)
}

// However many print at a time: lines are whole, each section ends, and no name is there twice.
func TestDetailsOfMany(t *testing.T) {
	out := &lineWriter{t: t}
	c := &Call{Stdout: out, Stderr: out}
	var all sync.WaitGroup
	for i := range 8 {
		of := fmt.Sprint("image", i)
		all.Go(func() {
			for range 50 {
				c.Detail(of, "Pulling "+of, of+": 1 MB")
				c.Note("Using %s", of)
				c.EndDetails(of)
			}
		})
	}
	all.Wait()
	begun := regexp.MustCompile(`section_start:[0-9]+:([a-z0-9_]+)`).FindAllStringSubmatch(out.String(), -1)
	names := map[string]bool{}
	for _, b := range begun {
		if names[b[1]] {
			t.Errorf("%s is there twice", b[1])
		}
		names[b[1]] = true
		if n := strings.Count(out.String(), ":"+b[1]+"\r"); n != 1 {
			t.Errorf("%s ends %d times", b[1], n)
		}
	}
	if len(names) == 0 {
		t.Error("no section")
	}
}
