package gitlab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// gitUser is the user name that goes with a job token.
const gitUser = "gitlab-ci-token"

// repositories is where the server's bare repositories live and the program that
// serves them; both empty until the first [Server.AddRepository].
type repositories struct {
	root    string
	backend string
}

// prepareGit makes the directory and finds git-http-backend, which is not on
// PATH. Only servers with repositories need git.
func (s *Server) prepareGit(ctx context.Context) (repositories, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repositories.root != "" {
		return s.repositories, nil
	}
	dir, err := git(ctx, "", nil, "--exec-path")
	if err != nil {
		return repositories{}, err
	}
	backend := filepath.Join(strings.TrimSpace(dir), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		return repositories{}, fmt.Errorf("finding git-http-backend: %w", err)
	}
	root, err := os.MkdirTemp("", "gitlab-repositories-")
	if err != nil {
		return repositories{}, err
	}
	s.repositories = repositories{root: root, backend: backend}
	return s.repositories, nil
}

// gitEnv shuts out the configuration of whoever runs the tests.
func gitEnv() []string {
	return []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C", "PATH=" + os.Getenv("PATH")}
}

// git runs a command of git's and returns what it prints.
func git(ctx context.Context, dir string, stdin []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(gitEnv(), "HOME="+dir)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("running git %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}

// serveGit is smart HTTP and Git LFS, read only, for the token of a job that is not over. A
// git client asks without credentials first, so that is not unexpected.
func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	user, token, ok := r.BasicAuth()
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitLab"`)
		http.Error(w, "HTTP Basic: Access denied", http.StatusUnauthorized)
		return
	}
	run := s.runByToken(token)
	if user != gitUser || run == nil || run.State().Over() {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitLab"`)
		s.refuse(w, r, http.StatusUnauthorized, "not the token of a running job")
		return
	}
	s.mu.Lock()
	repos := s.repositories
	s.mu.Unlock()
	if repos.root == "" {
		s.refuse(w, r, http.StatusNotFound, "no repositories")
		return
	}
	if strings.Contains(r.URL.Path, lfsPath) {
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		s.serveLFS(seen, r, repos.root)
		run.record(newRequest(r, seen.status, nil))
		return
	}
	// CGI needs a length; git sends big requests in chunks.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.refuse(w, r, http.StatusBadRequest, fmt.Sprintf("reading the body: %v", err))
		return
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	handler := &cgi.Handler{
		Path:   repos.backend,
		Dir:    repos.root,
		Env:    append(gitEnv(), "GIT_PROJECT_ROOT="+repos.root, "GIT_HTTP_EXPORT_ALL=1", "HOME="+repos.root),
		Logger: s.log,
		Stderr: s.log.Writer(),
	}
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	begun := time.Now()
	handler.ServeHTTP(seen, r)
	call := newRequest(r, seen.status, nil)
	call.At = begun
	run.record(call)
}

func (s *Server) runByToken(token string) *Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, run := range s.runs {
		if run.Job.Token == token {
			return run
		}
	}
	return nil
}

// statusWriter remembers the status of a reply.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
