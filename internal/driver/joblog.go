package driver

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// jobLog is what a program prints for the job log, standard output and standard error. It
// prints whole lines only, however many goroutines print at a time.
//
// Lines about something that takes long are in a section, which GitLab shows collapsed below
// its header (https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections). There is
// one section at most. It ends with the next line that is to be seen, so that no warning is
// hidden in it.
type jobLog struct {
	mu sync.Mutex
	// of is what the open section is about; name is the section's, empty if none is open.
	of, name string
	// sections counts them.
	sections int
	// now is time.Now if it is nil.
	now func() time.Time
}

// Note prints one line for the job log. Whatever is not printable is replaced.
func (c *Call) Note(format string, args ...any) {
	c.log.line(c.Stdout, Printable(fmt.Sprintf(format, args...)))
}

// Detail prints a line about something that takes long into a collapsed section. If none is
// open, a section begins, with that header.
func (c *Call) Detail(of, header, text string) {
	c.log.detail(c.Stdout, of, Printable(header), Printable(text))
}

// EndDetails ends the section if it is about that.
func (c *Call) EndDetails(of string) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	if c.log.of == of {
		fmt.Fprint(c.Stdout, c.log.end())
	}
}

// line prints a line, after the end of the section in the same stream: the runner copies the
// two streams one beside the other.
func (l *jobLog) line(out io.Writer, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprint(out, l.end()+text+"\n")
}

func (l *jobLog) detail(out io.Writer, of, header, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	begin := ""
	if l.name == "" {
		// The runner may call prepare again for the same job: the time makes the name another.
		now := l.time()
		l.sections++
		l.of, l.name = of, fmt.Sprintf("podman_executor_%d_%d", now, l.sections)
		begin = fmt.Sprintf("\x1b[0Ksection_start:%d:%s[collapsed=true]\r\x1b[0K%s\n", now, l.name, header)
	}
	fmt.Fprint(out, begin+text+"\n")
}

// end returns what ends the section, if one is open.
func (l *jobLog) end() string {
	if l.name == "" {
		return ""
	}
	text := fmt.Sprintf("\x1b[0Ksection_end:%d:%s\r\x1b[0K", l.time(), l.name)
	l.of, l.name = "", ""
	return text
}

func (l *jobLog) time() int64 {
	if l.now == nil {
		return time.Now().Unix()
	}
	return l.now().Unix()
}
