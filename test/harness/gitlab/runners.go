package gitlab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// runnerCall is what the runner sends with every call about itself
// (common/network.go:289).
type runnerCall struct {
	Token    string `json:"token"`
	SystemID string `json:"system_id"`
	body     []byte
}

// decodeRunnerCall reads the call's body; the token must be the same in body and
// header.
func decodeRunnerCall(r *http.Request) (runnerCall, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return runnerCall{}, fmt.Errorf("reading the body: %w", err)
	}
	call := runnerCall{body: body}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&call); err != nil {
		return runnerCall{}, fmt.Errorf("decoding the body: %w", err)
	}
	if header := r.Header.Get("Runner-Token"); header != call.Token {
		return runnerCall{}, fmt.Errorf("RUNNER-TOKEN %q differs from the body's token %q", header, call.Token)
	}
	return call, nil
}

// forRunner lets calls of known runners through. Note that a 403 on jobs/request
// puts a runner to sleep for minutes (commands/single.go:84).
func (s *Server) forRunner(h func(http.ResponseWriter, *http.Request, runnerCall)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		call, err := decodeRunnerCall(r)
		if err != nil {
			s.refuse(w, r, http.StatusBadRequest, err.Error())
			return
		}
		s.mu.Lock()
		known := s.runnerTokens[call.Token]
		s.mu.Unlock()
		if !known {
			s.refuse(w, r, http.StatusForbidden, "unknown runner token")
			return
		}
		h(w, r, call)
	}
}

// runnerReply answers registration and verification; an id of 0 would be taken
// for a failure (commands/register.go:252).
type runnerReply struct {
	ID             int     `json:"id"`
	Token          string  `json:"token"`
	TokenExpiresAt *string `json:"token_expires_at"`
}

func (s *Server) verifyRunner(w http.ResponseWriter, _ *http.Request, call runnerCall) {
	replyJSON(w, http.StatusOK, runnerReply{ID: 1, Token: call.Token})
}

// registerRunner is the registration of old, with a token of the instance: the
// runner gets its own in return.
func (s *Server) registerRunner(w http.ResponseWriter, r *http.Request) {
	call, err := decodeRunnerCall(r)
	if err != nil {
		s.refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	if call.Token != s.registry {
		s.refuse(w, r, http.StatusForbidden, "unknown registration token")
		return
	}
	s.mu.Lock()
	s.nextRunner++
	reply := runnerReply{ID: s.nextRunner, Token: fmt.Sprintf("registered-runner-token-%d", s.nextRunner)}
	s.runnerTokens[reply.Token] = true
	s.mu.Unlock()
	replyJSON(w, http.StatusCreated, reply)
}

func (s *Server) unregisterRunner(w http.ResponseWriter, _ *http.Request, call runnerCall) {
	s.mu.Lock()
	delete(s.runnerTokens, call.Token)
	s.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// requestJob hands out the oldest job of the queue, or nothing
// (network/gitlab.go:653).
func (s *Server) requestJob(w http.ResponseWriter, r *http.Request) {
	s.forRunner(func(w http.ResponseWriter, _ *http.Request, call runnerCall) {
		run := s.dequeue()
		if run == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		run.record(newRequest(r, http.StatusCreated, call.body))
		replyJSON(w, http.StatusCreated, run.Job)
	})(w, r)
}

// dequeue takes the first job that was not cancelled while it waited.
func (s *Server) dequeue() *Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 {
		run := s.queue[0]
		s.queue = s.queue[1:]
		if run.pickUp() {
			return run
		}
	}
	return nil
}
