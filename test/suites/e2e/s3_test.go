//go:build e2e

package e2e

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/harness/runner"
)

// s3Server is a real S3 server (test/harness/s3) on loopback with one bucket.
type s3Server struct {
	*testing.T
	address, bucket string
	// secret is the account's secret key.
	secret string
	dir    string
	cmd    *exec.Cmd
}

const s3AccessKey = "access-key-of-the-cache"

func startS3(t *testing.T) *s3Server {
	t.Helper()
	s := &s3Server{T: t, address: freeAddress(t), bucket: "ci-cache", secret: rand.Text(), dir: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(s.dir, "objects", s.bucket), 0o700); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command("./s3-server", s.address, s.dir)
	s.cmd.Env = []string{"ROOT_ACCESS_KEY=" + s3AccessKey, "ROOT_SECRET_KEY=" + s.secret}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("%v: run `make test-e2e`", err)
	}
	t.Cleanup(s.stop)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		answer, err := http.Get("http://" + s.address + "/health")
		if err == nil {
			_ = answer.Body.Close()
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("the S3 server does not answer: %v\n%s", err, s.log())
		}
	}
}

func (s *s3Server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// log has a line for each request.
func (s *s3Server) log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text)
}

// objects returns the keys of all objects, sorted.
func (s *s3Server) objects() []string {
	s.Helper()
	var keys []string
	root := filepath.Join(s.dir, "objects", s.bucket)
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			key, _ := filepath.Rel(root, name)
			keys = append(keys, key)
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	slices.Sort(keys)
	return keys
}

// config is the section of config.toml that sends caches there.
func (s *s3Server) config() string {
	return fmt.Sprintf(`
  [runners.cache]
    Type = "s3"
    [runners.cache.s3]
      ServerAddress = %q
      AccessKey = %q
      SecretKey = %q
      BucketName = %q
      BucketLocation = "us-east-1"
      Insecure = true
      PathStyle = true
`, s.address, s3AccessKey, s.secret, s.bucket)
}

// startWithS3 starts a runner whose caches are in S3.
func startWithS3(t *testing.T, s *s3Server, policy func(string) string) *machine {
	t.Helper()
	return startConfigured(t, 1, policy, func(c runner.Config) string { return runner.Usual(c) + s.config() })
}

// A cache goes to S3 and comes back, although the runner's own volumes are gone.
// Protected and other refs have keys of their own, which GitLab gives them; the
// runner lets no job fall back to a protected one.
func TestCacheInS3(t *testing.T) {
	t.Parallel()
	s := startS3(t)
	m := startWithS3(t, s, defaults())
	run := s.watched(m, cached("first", "k-non_protected"))
	succeeded(t, run)
	// What a step writes to its two pipes may come in another order: over a service it does.
	logs(t, run, "there is no cache", "Uploading cache.zip to http://"+s.address+"/"+s.bucket+"/runner/"+m.token+"/project/7/k-non_protected")
	logs(t, run, "there is no cache", "Created cache")
	object := "runner/" + m.token + "/project/7/k-non_protected"
	if got := s.objects(); !slices.Equal(got, []string{object}) {
		t.Fatalf("S3 has %q, want %q", got, object)
	}

	m.removeVolumes()
	run = s.watched(m, cached("second", "k-non_protected"))
	succeeded(t, run)
	logs(t, run, "Downloading cache from http://"+s.address, "from first\n")
	logs(t, run, "Successfully extracted cache", "from first\n")

	m.removeVolumes()
	protected := true
	release := cached("release", "k-protected")
	release.Git.Protected = &protected
	run = s.watched(m, release)
	succeeded(t, run)
	logs(t, run, "there is no cache", "Created cache")
	thief := cached("thief", "other-non_protected")
	thief.SetVariable("CACHE_FALLBACK_KEY", "k-protected")
	run = s.watched(m, thief)
	succeeded(t, run)
	logs(t, run, `CACHE_FALLBACK_KEY "k-protected" not allowed to end in "-protected"`, "there is no cache")
	lacks(t, run, "from release")
}

// Without S3 a job goes on without its cache, and says so.
func TestCacheInS3ThatIsDown(t *testing.T) {
	t.Parallel()
	s := startS3(t)
	m := startWithS3(t, s, defaults())
	s.stop()
	run := s.watched(m, cached("first", "k"))
	succeeded(t, run)
	logs(t, run, "connection refused", "there is no cache", "connection refused")
	logs(t, run, "Failed to extract cache", "there is no cache", "Failed to create cache")
}

// With step_script_only the transfer is done on the host.
func TestCacheInS3FromTheHost(t *testing.T) {
	t.Parallel()
	s := startS3(t)
	policy, dir := dataDir(t, "step_script_only = true", "-runner_image", "-runner_options")
	m := startWithS3(t, s, policy)
	run := s.watched(m, in(busyboxImage, cached("first", "k")))
	succeeded(t, run)
	logs(t, run, "there is no cache", "Created cache")
	podmanRemove(t, dir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	run = s.watched(m, in(busyboxImage, cached("second", "k")))
	succeeded(t, run)
	logs(t, run, "Successfully extracted cache", "from first\n")
}

// watched runs a job, and checks that S3's secret key is at no time on a command
// line or in a log.
func (s *s3Server) watched(m *machine, j gitlab.Job) *gitlab.Run {
	s.Helper()
	stop, seen := make(chan struct{}), make(chan string, 1)
	go func() { seen <- watchCommandLines(stop, "", s.secret) }()
	run := m.run(j)
	close(stop)
	if line := <-seen; line != "" {
		s.Errorf("S3's secret key stands on a command line: %s", line)
	}
	driverLog, err := os.ReadFile(filepath.Join(m.dir, "driver.log"))
	if err != nil {
		s.Fatal(err)
	}
	if strings.Contains(run.Log(), s.secret) || strings.Contains(string(driverLog), s.secret) {
		s.Error("S3's secret key stands in a log")
	}
	return run
}
