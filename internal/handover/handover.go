// Package handover hands the steps of a job to a container that stays: started
// once, it runs one step after the other. So a step costs no podman command.
//
// A directory of named pipes is what the host and the container share. The container
// has it read-only: a process in it may open the pipes, but never put a link to
// something of the host's in their place. A step has four pipes of its own, in a
// directory of its own below: one for each stream, and one for its exit status. The
// container learns that directory's name from the pipe `next`, and shows by `alive`
// that it is there.
package handover

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Names in the directory that is shared, and in that of a step.
const (
	next   = "next"
	alive  = "alive"
	in     = "in"
	out    = "out"
	errs   = "err"
	status = "status"
)

// ErrNobody is the error where no container waits for a step: it has ended, or is not
// up yet.
var ErrNobody = errors.New("no container waits for a step")

// ErrEnded is the error where the container ended while it had a step.
var ErrEnded = errors.New("the container ended while the step ran")

// Make makes the directory that a container gets. Whatever user the container has can
// open what is in it; parent has to be closed to everybody else.
func Make(dir string) error {
	return makePipes(dir, next, alive)
}

func makePipes(dir string, names ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("creating a directory for pipes: %w", err)
	}
	for _, name := range names {
		file := filepath.Join(dir, name)
		if err := syscall.Mkfifo(file, 0o666); err != nil {
			return fmt.Errorf("creating the pipe %s: %w", file, err)
		}
		// Whatever the umask is.
		if err := os.Chmod(file, 0o666); err != nil {
			return fmt.Errorf("creating the pipe %s: %w", file, err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return fmt.Errorf("creating a directory for pipes: %w", err)
	}
	return nil
}

// Step is one step that is handed over.
type Step struct {
	// Stdin is read to its end; the step's standard input stays open after that.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Grace is how long the step may take to end when it was told to, and Kill
	// ends the container after that.
	Grace time.Duration
	Kill  func()
}

// Run hands a step to the container that has the directory dir, and returns the exit
// status of the step. When ctx ends, the step's standard input does, which is its
// word to stop. The errors are [ErrNobody], [ErrEnded], that of ctx, and those of the
// system.
func Run(ctx context.Context, dir string, s Step) (int, error) {
	container, err := find(dir)
	if err != nil {
		return 0, err
	}
	defer container.Close()
	p, err := makeStep(dir)
	if err != nil {
		return 0, err
	}
	defer p.remove()
	if err := container.tell(filepath.Base(p.dir)); err != nil {
		return 0, fmt.Errorf("handing a step over: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, container.alive)
	}()
	code, err := p.run(ctx, s, ended)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return code, err
}

// Dismiss ends the container that has the directory dir, if there is one that waits.
func Dismiss(dir string) error {
	container, err := find(dir)
	if errors.Is(err, ErrNobody) {
		return nil
	}
	if err != nil {
		return err
	}
	defer container.Close()
	if err := container.tell(""); err != nil {
		return fmt.Errorf("ending the container: %w", err)
	}
	return nil
}

// container is the other side.
type container struct{ next, alive *os.File }

func (c container) Close() {
	_ = c.next.Close()
	_ = c.alive.Close()
}

// tellTime is how long a container may take to make room for a line. There is room for
// thousands, unless the job has filled the pipe.
const tellTime = 2 * time.Second

// tell writes a line to `next`.
func (c container) tell(line string) error {
	_ = c.next.SetWriteDeadline(time.Now().Add(tellTime))
	_, err := c.next.WriteString(line + "\n")
	return err
}

// find looks for a container that waits.
func find(dir string) (container, error) {
	n, err := open(filepath.Join(dir, next), os.O_WRONLY)
	if errors.Is(err, syscall.ENXIO) {
		return container{}, ErrNobody
	}
	if err != nil {
		return container{}, err
	}
	a, err := open(filepath.Join(dir, alive), os.O_RDONLY)
	if err != nil {
		_ = n.Close()
		return container{}, err
	}
	return container{next: n, alive: a}, nil
}

// open opens a pipe, and nothing else.
func open(name string, flag int) (*os.File, error) {
	f, err := os.OpenFile(name, flag|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("opening a pipe: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Type() != os.ModeNamedPipe {
		err = fmt.Errorf("%s is not a named pipe", name)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("opening a pipe: %w", err)
	}
	return f, nil
}

// pipes are those of one step. Each is open here for both directions, by one file or
// by two: so none has an end before this side makes it.
type pipes struct {
	dir                  string
	in, out, err, status *os.File
	outWriter, errWriter *os.File
}

func makeStep(dir string) (p *pipes, err error) {
	p = &pipes{}
	if p.dir, err = os.MkdirTemp(dir, "step-"); err != nil {
		return nil, fmt.Errorf("creating a directory for pipes: %w", err)
	}
	defer func() {
		if err != nil {
			p.remove()
		}
	}()
	if err := makePipes(p.dir, in, out, errs, status); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		file **os.File
		name string
		flag int
	}{
		{&p.in, in, os.O_RDWR},
		{&p.out, out, os.O_RDONLY},
		{&p.outWriter, out, os.O_WRONLY},
		{&p.err, errs, os.O_RDONLY},
		{&p.errWriter, errs, os.O_WRONLY},
		{&p.status, status, os.O_RDWR},
	} {
		if *f.file, err = open(filepath.Join(p.dir, f.name), f.flag); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *pipes) remove() {
	for _, f := range []*os.File{p.in, p.out, p.outWriter, p.err, p.errWriter, p.status} {
		if f != nil {
			_ = f.Close()
		}
	}
	_ = os.RemoveAll(p.dir)
}

const (
	// killDelay is how long a container may take to end that was killed.
	killDelay = 5 * time.Second
	// lastWords is how long an exit status may take that was told before the
	// container's end.
	lastWords = 10 * time.Millisecond
)

// run feeds the step, and copies what it writes, until it has told its exit status and
// all that could write is dead; or the container has ended.
func (p *pipes) run(ctx context.Context, s Step, ended <-chan struct{}) (code int, err error) {
	// A container that ends before it has read everything is not an error by itself.
	go func() { _, _ = io.Copy(p.in, s.Stdin) }()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		var output sync.WaitGroup
		output.Go(func() { _, _ = io.Copy(s.Stdout, p.out) })
		output.Go(func() { _, _ = io.Copy(s.Stderr, p.err) })
		if code, err = p.readStatus(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			// A step that goes on after that would be nobody's.
			s.Kill()
		}
		// From here the last one that writes makes the end.
		_ = p.outWriter.Close()
		_ = p.errWriter.Close()
		output.Wait()
	}()
	select {
	case <-finished:
		return code, err
	case <-ended:
	case <-ctx.Done():
		_ = p.in.Close()
		p.stop(s, finished, ended)
	}
	_ = p.status.SetReadDeadline(time.Now().Add(lastWords))
	<-finished
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrEnded
	}
	return code, err
}

// stop waits for the end of a step that was told to stop, and kills its container
// after the grace period.
func (p *pipes) stop(s Step, finished, ended <-chan struct{}) {
	select {
	case <-finished:
		return
	case <-ended:
		return
	case <-time.After(s.Grace):
	}
	s.Kill()
	select {
	case <-ended:
	case <-time.After(killDelay):
		// Not even that: what it says from now on is nobody's.
		_ = p.out.Close()
		_ = p.err.Close()
	}
}

func (p *pipes) readStatus() (int, error) {
	line, err := bufio.NewReader(io.LimitReader(p.status, 16)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("reading the exit status of the step: %w", err)
	}
	digits, whole := strings.CutSuffix(line, "\n")
	code, err := strconv.Atoi(digits)
	if err != nil || !whole || code < 0 || code > 255 {
		return 0, fmt.Errorf("invalid exit status of a step: %q", line)
	}
	return code, nil
}
