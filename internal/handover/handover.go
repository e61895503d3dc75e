// Package handover hands the steps of a job to a container that stays: started
// once, it runs one step after the other. So a step costs no podman command.
//
// The host and the container share a directory of named pipes. The container has it
// read-only: a process in it may open the pipes, but cannot replace them with links to files
// of the host. Each step has four pipes in a directory below: one for each stream, and one for
// its exit status. The container reads the name of that directory from the pipe `next`, and
// holds `alive` open while it runs.
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

// ErrNobody is the error if no container waits for a step: it has ended, or has not started
// yet.
var ErrNobody = errors.New("no container waits for a step")

// ErrEnded is the error if the container ended while it ran a step.
var ErrEnded = errors.New("the container ended while the step ran")

// Make makes the directory that a container gets at [Pipes]. Any user can open what is in it,
// since the container may have any user; so its parent must be closed to others.
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
	// Grace is how long the step may take to end after ctx has ended. Then Kill is called,
	// which ends the container.
	Grace time.Duration
	Kill  func()
}

// Run hands a step to the container that has the directory dir, and returns the exit status
// of the step. When ctx ends, so does the step's standard input, which tells the step to stop.
// The errors are [ErrNobody], [ErrEnded], that of ctx, and those of the system.
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
	if err := container.writeLine(filepath.Base(p.dir)); err != nil {
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
	if err := container.writeLine(""); err != nil {
		return fmt.Errorf("ending the container: %w", err)
	}
	return nil
}

// peer is a container that waits for a step: the two pipes that it has open.
type peer struct{ next, alive *os.File }

func (p peer) Close() {
	_ = p.next.Close()
	_ = p.alive.Close()
}

// writeTime is how long a container may take to make room for a line. There is room for
// thousands, unless the job has filled the pipe.
const writeTime = 2 * time.Second

// writeLine writes a line to `next`.
func (p peer) writeLine(line string) error {
	_ = p.next.SetWriteDeadline(time.Now().Add(writeTime))
	_, err := p.next.WriteString(line + "\n")
	return err
}

// find returns the container that waits for a step, or [ErrNobody].
func find(dir string) (peer, error) {
	n, err := open(filepath.Join(dir, next), os.O_WRONLY)
	if errors.Is(err, syscall.ENXIO) {
		return peer{}, ErrNobody
	}
	if err != nil {
		return peer{}, err
	}
	a, err := open(filepath.Join(dir, alive), os.O_RDONLY)
	if err != nil {
		_ = n.Close()
		return peer{}, err
	}
	return peer{next: n, alive: a}, nil
}

// open opens a named pipe; any other file is an error.
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

// pipes are the pipes of one step. Each is open here for both directions, by one file or by
// two, so its reader sees no end before this side closes it.
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
	// killDelay is how long a container may take to end after it was killed.
	killDelay = 5 * time.Second
	// statusDelay is how long to wait, after the container's end, for an exit status that it
	// wrote before.
	statusDelay = 10 * time.Millisecond
)

// run writes the step's input and copies its output. It returns when the step has reported its
// exit status and no process can write any more, or when the container has ended.
func (p *pipes) run(ctx context.Context, s Step, ended <-chan struct{}) (code int, err error) {
	// If the container ends before it has read everything, ended says so.
	go func() { _, _ = io.Copy(p.in, s.Stdin) }()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		var output sync.WaitGroup
		output.Go(func() { _, _ = io.Copy(s.Stdout, p.out) })
		output.Go(func() { _, _ = io.Copy(s.Stderr, p.err) })
		if code, err = p.readStatus(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			// Nobody would wait for the step if it went on after that.
			s.Kill()
		}
		// Now the output ends when the step's last process closes it.
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
	_ = p.status.SetReadDeadline(time.Now().Add(statusDelay))
	<-finished
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrEnded
	}
	return code, err
}

// stop waits for the end of a step whose input was closed, and kills its container after the
// grace period.
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
		// The container does not end: stop copying its output.
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
