package gitlab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// State is where a job stands.
type State string

// The states of a [Run]; StateSkipped is of pipelines only.
const (
	StatePending  State = "pending"  // submitted, perhaps handed out, not confirmed by the runner
	StateRunning  State = "running"  // confirmed: PUT with state running
	StateSuccess  State = "success"  // final, reported by the runner
	StateFailed   State = "failed"   // final, reported by the runner
	StateCanceled State = "canceled" // final, cancelled before the runner confirmed it
	StateSkipped  State = "skipped"  // never submitted: something before it failed
)

// What the header Job-Status asks the runner to do.
const (
	wishCancel = "canceling"
	wishAbort  = "canceled"
)

// Over tells whether nothing more can come.
func (s State) Over() bool { return s != StatePending && s != StateRunning }

// Request is one HTTP call about a job, its git fetches included.
type Request struct {
	At     time.Time
	Method string
	Path   string // without the query
	Query  string
	Range  string // Content-Range of a trace patch
	Status int    // of the reply
	Body   []byte // of JSON calls
}

// String is the call in short, without what differs from run to run.
func (r Request) String() string { return fmt.Sprintf("%s %s: %d", r.Method, r.Path, r.Status) }

func newRequest(r *http.Request, status int, body []byte) Request {
	return Request{
		At: time.Now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
		Range: r.Header.Get("Content-Range"), Status: status, Body: body,
	}
}

// Times are the moments of a job's life; those that did not come are zero.
type Times struct {
	Submitted time.Time
	PickedUp  time.Time // handed to a runner
	Started   time.Time // confirmed by the runner
	Finished  time.Time // final update: the driver's cleanup has ended by then
}

// Run is one job under way or over. Its methods may be called at any time, from
// any goroutine.
type Run struct {
	Job Job // as handed out

	calls sync.Mutex // held during a call, taken before mu

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever something below changes
	times    Times
	state    State
	wish     string // Job-Status told to the runner: "", wishCancel or wishAbort
	reason   string
	exitCode int
	trace    []byte
	uploads  []Upload
	requests []Request
	replies  []int // Job.FinalReplies not yet given
}

func newRun(job Job) *Run {
	return &Run{
		Job: job, replies: job.FinalReplies,
		changed: make(chan struct{}), state: StatePending, times: Times{Submitted: time.Now()},
	}
}

// notify wakes everyone who waits; the caller holds mu.
func (r *Run) notify() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// finish ends the run; the caller holds mu.
func (r *Run) finish(state State) {
	r.state = state
	r.times.Finished = time.Now()
	r.notify()
}

// pickUp marks the run as handed out; false if it was cancelled before.
func (r *Run) pickUp() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.Over() {
		return false
	}
	r.times.PickedUp = time.Now()
	r.notify()
	return true
}

func (r *Run) record(req Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, req)
}

// await returns when done, called with mu held, says so.
func (r *Run) await(ctx context.Context, what string, done func() bool) error {
	for {
		r.mu.Lock()
		ok, changed := done(), r.changed
		r.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for job %d (%s) to %s: %w", r.Job.ID, r.Job.Info.Name, what, context.Cause(ctx))
		}
	}
}

// Wait returns when the job is over, whatever its result: after the final update
// was accepted, so the driver's cleanup has ended too (common/build.go:1543).
func (r *Run) Wait(ctx context.Context) error {
	return r.await(ctx, "end", func() bool { return r.state.Over() })
}

// WaitStarted returns when the runner has confirmed the job, or it is over.
func (r *Run) WaitStarted(ctx context.Context) error {
	return r.await(ctx, "start", func() bool { return r.state != StatePending })
}

// WaitLog returns when [Run.Log] contains text; a job that ends without it is an
// error.
func (r *Run) WaitLog(ctx context.Context, text string) error {
	found := false
	err := r.await(ctx, fmt.Sprintf("print %q", text), func() bool {
		found = strings.Contains(CleanLog(r.trace), text)
		return found || r.state.Over()
	})
	if err == nil && !found {
		err = fmt.Errorf("waiting for job %d (%s) to print %q: it ended without", r.Job.ID, r.Job.Info.Name, text)
	}
	return err
}

// Follow copies the raw trace to w as it comes and returns when the job is over.
// A trace that is sent again after a 412 is not copied twice.
func (r *Run) Follow(ctx context.Context, w io.Writer) error {
	for offset := 0; ; {
		var chunk []byte
		err := r.await(ctx, "print more", func() bool {
			chunk = r.trace[min(offset, len(r.trace)):]
			return len(chunk) > 0 || r.state.Over()
		})
		if err != nil || len(chunk) == 0 {
			return err
		}
		n, err := w.Write(chunk)
		if err != nil {
			return fmt.Errorf("copying the trace of job %d: %w", r.Job.ID, err)
		}
		offset += n
	}
}

// Cancel is the "Cancel" button: the runner learns of it with its next call,
// stops the script and still runs after_script. A job that prints nothing makes
// a call every 30 s only.
func (r *Run) Cancel() { r.stop(wishCancel) }

// Abort is cancelling by force: the runner stops everything at its next call and
// only cleans up.
func (r *Run) Abort() { r.stop(wishAbort) }

func (r *Run) stop(wish string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.state.Over():
	case r.times.PickedUp.IsZero():
		r.finish(StateCanceled)
	default:
		r.wish = wish
	}
}

// State is the job's state by the last update. A job that was cancelled while it
// ran ends as failed, with the reason job_canceled.
func (r *Run) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// FailureReason is one of [FailureReasons], or empty.
func (r *Run) FailureReason() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reason
}

// ExitCode is the script's exit status as the runner reported it, 0 if it did
// not: for success and for failures other than the script's.
func (r *Run) ExitCode() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.exitCode
}

// Trace is the job log, byte by byte.
func (r *Run) Trace() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.trace)
}

// Log is the job log made readable by [CleanLog].
func (r *Run) Log() string { return CleanLog(r.Trace()) }

// Artifacts are the uploads, in order.
func (r *Run) Artifacts() []Upload {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.uploads)
}

// Requests are all calls about the job, in order.
func (r *Run) Requests() []Request {
	r.calls.Lock()
	defer r.calls.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// Times are the moments of the job's life so far.
func (r *Run) Times() Times {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.times
}
