package gitlab

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// jobCall answers a call of a job's own, whose body was read already.
type jobCall func(run *Run, r *http.Request, body []byte) reply

// reply is what a jobCall answers; refused is why the call should not have been
// made, for [Server.Unexpected].
type reply struct {
	status  int
	refused string
	header  http.Header
	body    []byte
}

func refusal(status int, format string, args ...any) reply {
	return reply{status: status, refused: fmt.Sprintf(format, args...)}
}

// forJob lets calls with the right JOB-TOKEN through and records them, one after
// the other: whoever sees a job's end also finds the call that ended it in
// [Run.Requests].
func (s *Server) forJob(h jobCall) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		s.mu.Lock()
		run := s.runs[id]
		s.mu.Unlock()
		if err != nil || run == nil {
			s.refuse(w, r, http.StatusNotFound, "no such job")
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			s.refuse(w, r, http.StatusBadRequest, fmt.Sprintf("reading the body: %v", err))
			return
		}
		answer := run.call(h, r, body)
		maps.Copy(w.Header(), answer.header)
		if answer.refused != "" {
			s.refuse(w, r, answer.status, answer.refused)
			return
		}
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body) // a client that has gone needs no answer
	}
}

// call runs h if the caller has the job's token and the job was handed out.
func (r *Run) call(h jobCall, req *http.Request, body []byte) reply {
	r.calls.Lock()
	defer r.calls.Unlock()
	var answer reply
	switch {
	case req.Header.Get("Job-Token") != r.Job.Token:
		answer = refusal(http.StatusForbidden, "wrong job token")
	case r.Times().PickedUp.IsZero():
		answer = refusal(http.StatusForbidden, "job was not handed out")
	default:
		answer = h(r, req, body)
	}
	if req.Method != http.MethodPut {
		body = nil
	}
	r.record(newRequest(req, answer.status, body))
	return answer
}

// jobUpdate is the body of PUT jobs/:id (common/network.go:303).
type jobUpdate struct {
	Token         string `json:"token"`
	State         string `json:"state"`
	FailureReason string `json:"failure_reason"`
	ExitCode      int    `json:"exit_code"`
	Output        struct {
		Checksum string `json:"checksum"`
		Bytesize int    `json:"bytesize"`
	} `json:"output"`
}

// updateJob serves the confirmation after pickup, keep-alives and the final
// update (network/gitlab.go:731).
func updateJob(run *Run, _ *http.Request, body []byte) reply {
	var update jobUpdate
	if err := json.Unmarshal(body, &update); err != nil {
		return refusal(http.StatusBadRequest, "decoding the update: %v", err)
	}
	if update.Token != run.Job.Token {
		return refusal(http.StatusForbidden, "wrong job token in the body")
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	switch state := State(update.State); {
	case state != StateRunning && state != StateSuccess && state != StateFailed:
		return refusal(http.StatusBadRequest, "unknown state %q", update.State)
	case run.state.Over():
		return run.notRunning()
	case state == StateRunning:
		return run.keepAlive()
	default:
		return run.final(state, update)
	}
}

// patchTrace appends to the trace if the patch begins where the trace ends.
// "Range: 0-N" in the reply tells the runner the offset to go on with
// (network/gitlab.go:832, network/patch_response.go:21).
func patchTrace(run *Run, r *http.Request, content []byte) reply {
	var first, last int
	contentRange := r.Header.Get("Content-Range")
	if _, err := fmt.Sscanf(contentRange, "%d-%d", &first, &last); err != nil || last-first+1 != len(content) {
		return refusal(http.StatusBadRequest, "Content-Range %q does not fit %d bytes", contentRange, len(content))
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	if run.state.Over() {
		return run.notRunning()
	}
	answer := reply{status: http.StatusAccepted, header: run.told()}
	// A runner does not count a patch that was answered with "canceled" and
	// sends it again with its last words (network/gitlab.go:913).
	if run.wish == wishAbort && first < len(run.trace) {
		run.trace = slices.Clip(run.trace[:first]) // a follower may hold the bytes behind
	}
	if first == len(run.trace) {
		run.trace = append(run.trace, content...)
		run.notify()
	} else {
		answer.status = http.StatusRequestedRangeNotSatisfiable
	}
	answer.header.Set("Range", fmt.Sprintf("0-%d", len(run.trace)))
	return answer
}

// told is what every reply of a job tells: its state, whether to stop, and to
// patch the trace each second (network/remote_job_state_response.go). The caller
// holds mu.
func (r *Run) told() http.Header {
	h := make(http.Header)
	h.Set("Job-Status", orDefault(r.wish, string(r.state)))
	h.Set("X-GitLab-Trace-Update-Interval", "1")
	return h
}

// notRunning answers calls for a job that is over; the caller holds mu.
func (r *Run) notRunning() reply {
	answer := refusal(http.StatusForbidden, "job is not running")
	answer.header = r.told()
	return answer
}

// keepAlive confirms the job the first time. A runner told that a job it
// confirms is canceled drops it without another word (commands/multi.go:1430).
// The caller holds mu.
func (r *Run) keepAlive() reply {
	if r.state == StatePending {
		if r.wish == wishAbort {
			r.finish(StateCanceled)
		} else {
			r.state = StateRunning
			r.times.Started = time.Now()
			r.notify()
		}
	}
	return reply{status: http.StatusOK, header: r.told()}
}

// final takes the last update: 412 and an empty trace if the trace is not what
// the runner says it sent, else the job is over. An aborted job's trace is not
// judged, as the runner stops sending it. The caller holds mu.
func (r *Run) final(state State, update jobUpdate) reply {
	status := http.StatusOK
	if len(r.replies) > 0 {
		status, r.replies = r.replies[0], r.replies[1:]
	} else if sum := fmt.Sprintf("crc32:%08x", crc32.ChecksumIEEE(r.trace)); r.wish != wishAbort &&
		(update.Output.Checksum != sum || update.Output.Bytesize != len(r.trace)) {
		status = http.StatusPreconditionFailed
	}
	switch status {
	case http.StatusOK:
		r.reason, r.exitCode = update.FailureReason, update.ExitCode
		r.finish(state)
	case http.StatusPreconditionFailed:
		r.trace = nil // not cut: a follower may hold the bytes
	}
	// No Job-Status: "failed" would read as an abort in the runner's log.
	return reply{status: status, header: http.Header{"X-Gitlab-Trace-Update-Interval": {"1"}}}
}
