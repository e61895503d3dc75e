// Package register tests the image's programs that register runners and put
// their configuration in place, as processes, with a real gitlab-runner.
package register

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// image is a directory that looks like the image's root to its programs.
type image struct {
	t    *testing.T
	root string
	env  []string
}

// newImage has the image's own files and the gitlab-runner that GITLAB_RUNNER
// names; test/harness/gitlab-runner tells how to build one.
func newImage(t *testing.T) *image {
	t.Helper()
	binary := os.Getenv("GITLAB_RUNNER")
	if binary == "" {
		t.Fatal("GITLAB_RUNNER does not name a gitlab-runner to test against: make test-gitlab does")
	}
	i := &image{t: t, root: t.TempDir()}
	if err := os.CopyFS(i.root, os.DirFS("../../../../image/rootfs")); err != nil {
		t.Fatal(err)
	}
	i.mkdir("bin")
	i.mkdir("tmp")
	i.mkdir("run/secrets")
	i.mkdir("cache")
	if err := os.Symlink(binary, i.path("bin/gitlab-runner")); err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	i.env = []string{
		"IMAGE_ROOT=" + i.root, "RUNNER_USER=" + me.Username, "HOME=" + i.root, "TMPDIR=" + i.path("tmp"),
		"PATH=" + i.path("bin") + ":" + os.Getenv("PATH"),
	}
	return i
}

func (i *image) path(name string) string { return filepath.Join(i.root, name) }

func (i *image) mkdir(name string) {
	i.t.Helper()
	if err := os.MkdirAll(i.path(name), 0o755); err != nil {
		i.t.Fatal(err)
	}
}

func (i *image) write(name, content string) {
	i.t.Helper()
	i.mkdir(filepath.Dir(name))
	if err := os.WriteFile(i.path(name), []byte(content), 0o644); err != nil {
		i.t.Fatal(err)
	}
}

func (i *image) read(name string) string {
	i.t.Helper()
	content, err := os.ReadFile(i.path(name))
	if err != nil {
		i.t.Fatal(err)
	}
	return string(content)
}

// result is what a program left: its streams and its exit status.
type result struct {
	stdout, stderr string
	status         int
}

// run runs one of the image's programs.
func (i *image) run(program string, args ...string) result {
	i.t.Helper()
	return i.command(i.path("usr/libexec/podman-executor-image/"+program), args...)
}

func (i *image) command(path string, args ...string) result {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(i.t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = i.env, i.root, &stdout, &stderr
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited || ctx.Err() != nil {
		i.t.Fatalf("running %s: %v\n%s", path, err, stderr.String())
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// mustRun fails the test where the program does.
func (i *image) mustRun(program string, args ...string) result {
	i.t.Helper()
	r := i.run(program, args...)
	if r.status != 0 {
		i.t.Fatalf("%s ended with %d:\n%s%s", program, r.status, r.stdout, r.stderr)
	}
	return r
}

// wantFailure checks that a program failed, with these words for its user.
func wantFailure(t *testing.T, r result, words ...string) {
	t.Helper()
	if r.status == 0 {
		t.Error("status 0")
	}
	for _, w := range words {
		if !strings.Contains(r.stderr, w) {
			t.Errorf("stderr is without %q:\n%s", w, r.stderr)
		}
	}
}

// watched is a GitLab that looks at each call, and at the machine's processes
// while the call is made.
type watched struct {
	*gitlab.Server
	address string

	mu       sync.Mutex
	bodies   []string // METHOD PATH BODY
	commands string   // the command lines of all processes
}

func newGitLab(t *testing.T, o gitlab.Options) *watched {
	t.Helper()
	server, err := gitlab.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	target, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{Server: server}
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.look(t, r)
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	w.address = front.URL
	return w
}

func (w *watched) look(t *testing.T, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bodies = append(w.bodies, r.Method+" "+r.URL.Path+" "+string(body))
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Error(err)
	}
	for _, p := range processes {
		line, _ := os.ReadFile(p) // the process may be gone
		w.commands += strings.ReplaceAll(string(line), "\x00", " ") + "\n"
	}
}

var systemID = regexp.MustCompile(`"system_id":"([^"]*)"`)

// systemIDs are those of the calls so far, in order.
func (w *watched) systemIDs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []string
	for _, b := range w.bodies {
		if m := systemID.FindStringSubmatch(b); m != nil {
			ids = append(ids, m[1])
		}
	}
	return ids
}

// call is the first call to a path, with its body.
func (w *watched) call(t *testing.T, path string) string {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.bodies {
		if strings.HasPrefix(b, path+" ") {
			return b
		}
	}
	t.Fatalf("no call of %s in %q", path, w.bodies)
	return ""
}
