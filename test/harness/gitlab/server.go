package gitlab

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DefaultRunnerToken is the [[runners]] token of a server that was not
	// given another.
	DefaultRunnerToken = "glrt-testtoken0000000000"

	// DefaultRegistrationToken is what POST runners (the old way to register)
	// wants, unless told otherwise.
	DefaultRegistrationToken = "registration-token"

	apiPrefix = "/api/v4"
)

// lastJobID makes job ids unique within the process: several servers may share
// one machine's podman, where objects are named after jobs. The first is 1001.
var lastJobID atomic.Int64

// Options of a [Server]; the zero value is good.
type Options struct {
	// Address to listen on; empty means 127.0.0.1:0.
	Address string
	// Host stands for the listening address in URLs, for jobs that reach the
	// server by another name than this process, e.g. host.containers.internal.
	Host string
	// RunnerToken and RegistrationToken replace the default ones.
	RunnerToken, RegistrationToken string
	// Log gets the messages of net/http and of git; nil drops them.
	Log io.Writer
}

// Server is a GitLab that knows runners, jobs, their artifacts and
// repositories. Its methods may be called from several goroutines.
type Server struct {
	base     *url.URL
	http     *http.Server
	served   chan struct{}
	log      *log.Logger
	registry string // registration token

	mu           sync.Mutex
	runnerTokens map[string]bool
	nextRunner   int
	nextPipeline int64
	queue        []*Run
	runs         map[int64]*Run
	unexpected   []string
	repositories repositories
}

// Start listens and serves until [Server.Close].
func Start(o Options) (*Server, error) {
	listener, err := net.Listen("tcp", orDefault(o.Address, "127.0.0.1:0"))
	if err != nil {
		return nil, fmt.Errorf("starting gitlab: %w", err)
	}
	host := listener.Addr().String()
	if o.Host != "" {
		_, port, _ := net.SplitHostPort(host) // an address of a listener always has a port
		host = net.JoinHostPort(o.Host, port)
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	s := &Server{
		base:         &url.URL{Scheme: "http", Host: host},
		served:       make(chan struct{}),
		log:          log.New(o.Log, "gitlab: ", 0),
		registry:     orDefault(o.RegistrationToken, DefaultRegistrationToken),
		runnerTokens: map[string]bool{orDefault(o.RunnerToken, DefaultRunnerToken): true},
		runs:         make(map[int64]*Run),
	}
	s.http = &http.Server{Handler: s.routes(), ErrorLog: s.log, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(s.served)
		if err := s.http.Serve(listener); err != http.ErrServerClosed {
			s.log.Printf("serving: %v", err)
		}
	}()
	return s, nil
}

// URL is the value for [[runners]] url and for CI_SERVER_URL, without a slash at
// its end.
func (s *Server) URL() string { return s.base.String() }

// Close stops the server at once and removes its repositories. Jobs that have
// not ended never will.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.served
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repositories.root != "" {
		if e := os.RemoveAll(s.repositories.root); err == nil {
			err = e
		}
	}
	if err != nil {
		return fmt.Errorf("closing gitlab: %w", err)
	}
	return nil
}

// Submit gives job an id, a token and the predefined variables and appends it to
// the queue; the next runner that asks gets it. The same job may be submitted
// again: that is another run.
func (s *Server) Submit(job Job) *Run {
	job.complete(1000+lastJobID.Add(1), s.base)
	run := newRun(job)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[job.ID] = run
	s.queue = append(s.queue, run)
	return run
}

// Unexpected lists, in order, the calls that were refused because no runner in
// good order makes them: unknown paths, wrong tokens, jobs that are over, bodies
// that do not decode. Tests should end with this being empty.
func (s *Server) Unexpected() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unexpected)
}

// routes is the API of fake GitLab. Not served, as no runner asks for them
// without being configured to: runners/reset_authentication_token and
// runners/router/discovery.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+apiPrefix+"/jobs/request", s.requestJob)
	mux.HandleFunc("PUT "+apiPrefix+"/jobs/{id}", s.forJob(updateJob))
	mux.HandleFunc("PATCH "+apiPrefix+"/jobs/{id}/trace", s.forJob(patchTrace))
	mux.HandleFunc("POST "+apiPrefix+"/jobs/{id}/artifacts", s.forJob(uploadArtifacts))
	mux.HandleFunc("GET "+apiPrefix+"/jobs/{id}/artifacts", s.forJob(downloadArtifacts))
	mux.HandleFunc("POST "+apiPrefix+"/runners", s.registerRunner)
	mux.HandleFunc("POST "+apiPrefix+"/runners/verify", s.forRunner(s.verifyRunner))
	mux.HandleFunc("DELETE "+apiPrefix+"/runners", s.forRunner(s.unregisterRunner))
	mux.HandleFunc("DELETE "+apiPrefix+"/runners/managers", s.forRunner(func(w http.ResponseWriter, _ *http.Request, _ runnerCall) {
		w.WriteHeader(http.StatusNoContent)
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, ".git/") && !strings.HasPrefix(r.URL.Path, apiPrefix) {
			s.serveGit(w, r)
			return
		}
		s.refuse(w, r, http.StatusNotFound, "no such endpoint")
	})
	return mux
}

// refuse answers with an error the way GitLab does and remembers the call.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	s.mu.Lock()
	s.unexpected = append(s.unexpected, fmt.Sprintf("%s %s: %d %s", r.Method, r.URL.Path, status, why))
	s.mu.Unlock()
	replyJSON(w, status, map[string]string{"message": why})
}

// replyJSON sends v. The runner takes a body of any other type than
// application/json for a failed call (network/client.go:392).
func replyJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
