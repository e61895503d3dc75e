//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// slow makes a front that sends the blobs of a registry at so many bytes per second.
func (r *registry) slow(rate int) *front {
	r.Helper()
	var f *front
	f = r.front(func(w http.ResponseWriter, request *http.Request) bool {
		if !strings.Contains(request.URL.Path, "/blobs/") {
			return false
		}
		f.proxy.ServeHTTP(&throttled{ResponseWriter: w, rate: rate, done: request.Context().Done()}, request)
		return true
	})
	return f
}

// throttled is an answer that is sent in ten parts a second.
type throttled struct {
	http.ResponseWriter
	rate int
	done <-chan struct{}
}

func (t *throttled) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		part := p[sent:min(len(p), sent+t.rate/10)]
		n, err := t.ResponseWriter.Write(part)
		sent += n
		if err != nil {
			return sent, err
		}
		t.ResponseWriter.(http.Flusher).Flush()
		select {
		case <-t.done:
			return sent, http.ErrAbortHandler
		case <-time.After(time.Duration(len(part)) * time.Second / time.Duration(t.rate)):
		}
	}
	return sent, nil
}

// large pushes an image with a layer of so many bytes, which cannot be compressed, on top of
// busybox's.
func (r *registry) large(name string, bytes int) {
	r.Helper()
	local := build(r.T, fmt.Sprintf("FROM %s\nRUN head -c %d /dev/urandom >/large\n", busyboxImage, bytes))
	r.push(local, name)
	podman(r.T, "rmi", "--force", local)
}

// section matches a collapsed section of a job log: its name, header and lines.
var section = regexp.MustCompile(`\x1b\[0Ksection_start:[0-9]+:(podman_executor_[a-z0-9_]+)\[collapsed=true\]\r\x1b\[0K([^\n]*)\n((?s).*?)\x1b\[0Ksection_end:[0-9]+:(podman_executor_[a-z0-9_]+)\r\x1b\[0K`)

// A pull that takes long says so at its beginning, while it lasts, in a collapsed section, and at
// its end. A quick one has two lines.
func TestPullProgress(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	r.large("reader/large:1", 12e6)
	image := r.slow(300e3).image("reader/large:1")
	m := start(t, defaults(r.policy(), "-image_pull_policy"))
	run := m.run(pulledBy(r.account, image, job("slow", "echo ran")))
	succeeded(t, run)
	logs(t, run, "Pulling image "+image+"\n", "Using image "+image+" in the user container: sha256:", "ran")
	if !overService() {
		found := section.FindStringSubmatch(string(run.Trace()))
		if found == nil {
			t.Fatalf("no section in the log:\n%q", run.Trace())
		}
		if found[1] != found[4] || !strings.Contains(found[2], "Still pulling "+image+":") {
			t.Errorf("the section %s, which ends as %s, has the header %q", found[1], found[4], found[2])
		}
		line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(image) + `: ([0-9.]+ MB after [0-9]+ s, |nothing downloaded after )`)
		if n := len(line.FindAllString(found[3], -1)); n < 2 || n > 6 {
			t.Errorf("%d lines of progress:\n%s", n, found[3])
		}
		matches(t, run, `pulled in [0-9.]+ s \([0-9.]+ MB, [0-9.]+ MB/s(; [^)]*)?\)`)
	}

	quick := m.run(pulledBy(r.account, image, job("quick", "echo ran")))
	succeeded(t, quick)
	lacks(t, quick, ":podman_executor_")
	if n := count(quick, image); n != 2 {
		t.Errorf("the image is named %d times:\n%s", n, quick.Log())
	}
	if !overService() {
		logs(t, quick, "pulled in ", "layers were already here)")
	}
}

// matches checks that a job log has what a regular expression says.
func matches(t *testing.T, run *gitlab.Run, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(run.Log()) {
		t.Errorf("the log of job %q lacks %s", run.Job.Info.Name, pattern)
	}
}

// downloads lists what is in podman's TMPDIR, which is the test's own.
func downloads(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, _ os.DirEntry, _ error) error {
		if name != dir {
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Pulls that are cancelled leave nothing where podman downloads; what pulls leave whose podman
// and driver are killed, --orphans removes. The image can be pulled afterwards.
func TestCancelledPullsLeaveNothing(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	r.large("reader/large:1", 8e6)
	f := r.slow(400e3)
	image := f.image("reader/large:1")
	tmp := t.TempDir()
	m := start(t, defaults(storageEnvironment("CONTAINERS_REGISTRIES_CONF="+r.config, "TMPDIR="+tmp), "-image_pull_policy"))
	downloading := func() {
		t.Helper()
		for end := time.Now().Add(jobTime); len(downloads(t, tmp)) < 3; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("nothing is downloaded")
			}
		}
	}
	for i := range 10 {
		run := m.server.Submit(pulledBy(r.account, image, job(fmt.Sprint("cancelled ", i), "echo ran")))
		m.waitLog(run, "Pulling image "+image)
		downloading()
		run.Cancel()
		m.wait(run)
		m.nothingLeft()
		lacks(t, run, "$ echo ran")
		if left := downloads(t, tmp); len(left) > 0 {
			t.Fatalf("after %d cancelled pulls there is left:\n%s", i+1, strings.Join(left, "\n"))
		}
	}

	// As after a power failure: nobody could remove this.
	dead := filepath.Join(tmp, "podman-executor-pull-1", "container_images_storage2")
	if err := os.MkdirAll(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dead, "1"), "a layer")
	past := time.Now().Add(-2 * time.Hour)
	for _, name := range []string{filepath.Join(dead, "1"), dead, filepath.Dir(dead)} {
		if err := os.Chtimes(name, past, past); err != nil {
			t.Fatal(err)
		}
	}
	table, errs, status := m.byHand("--orphans")
	if status != 0 || !row(table, "download", filepath.Dir(dead), "its pull is over") {
		t.Errorf("--orphans says (status %d)\n%s%s", status, table, errs)
	}
	if left := downloads(t, tmp); len(left) > 0 {
		t.Errorf("--orphans leaves:\n%s", strings.Join(left, "\n"))
	}

	run := m.run(pulledBy(r.account, image, job("the last", "echo ran")))
	succeeded(t, run)
	logs(t, run, "pulled in ", "ran")
}

// A registry that limits pulls: the job log says what helps, and while podman waits, why.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	r.pushed("reader/app:1")
	f := r.front(func(w http.ResponseWriter, request *http.Request) bool {
		if !isManifest(request) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your pull rate limit."}]}`)
		return true
	})
	m := start(t, defaults(r.policy()))
	run := m.server.Submit(pulledBy(r.account, f.image("reader/app:1"), job("limited", "echo ran")))
	m.waitLog(run, "podman-executor-prepare: hint: the registry's limit of pulls from this address or account is reached: give jobs credentials")
	logs(t, run, "Pulling image", "nothing downloaded after 15 s", "podman tries again: ", "toomanyrequests", "error: getting the image")
	run.Cancel()
	m.wait(run)
	m.nothingLeft()
}
