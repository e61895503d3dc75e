//go:build e2e

package e2e

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// registry is a real registry (Debian's docker-registry) on loopback, with two
// accounts.
type registry struct {
	*testing.T
	host string
	dir  string
	account
	// other is the second account.
	other account
	// config is a registries.conf that lets podman of this user talk HTTP to it.
	config string
}

// certificate is that of the registries on loopback, and key its key, where the tests run
// over a podman service: that has it among those that it trusts (test/suites/remote/run), and has
// never heard of a test's registries.conf. Else both are empty, and registries talk HTTP.
func certificate() (certificate, key string) {
	return os.Getenv("PODMAN_EXECUTOR_TEST_CERTIFICATE"), os.Getenv("PODMAN_EXECUTOR_TEST_KEY")
}

// transport is how a test itself talks to its registry.
func transport(t *testing.T) (scheme string, client *http.Client) {
	t.Helper()
	name, _ := certificate()
	if name == "" {
		return "http", http.DefaultClient
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(text)
	return "https", &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
}

// account is one of a registry's.
type account struct{ user, password string }

// auth is the account in the form of an auth file.
func (a account) auth() string {
	return base64.StdEncoding.EncodeToString([]byte(a.user + ":" + a.password))
}

// dockerConfig is a DOCKER_AUTH_CONFIG with the account for a registry path.
func (a account) dockerConfig(path string) string {
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, path, a.auth())
}

// credential is the account as GitLab sends it.
func (a account) credential(path string) gitlab.Credential {
	return gitlab.Credential{Type: "registry", URL: path, Username: a.user, Password: a.password}
}

const registryConfig = `version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: %q}
http:
  addr: %q
  tls: {certificate: %q, key: %q}
auth:
  htpasswd: {realm: test, path: %q}
`

func startRegistry(t *testing.T) *registry {
	t.Helper()
	dir := t.TempDir()
	r := &registry{
		T: t, host: freeAddress(t), dir: dir, config: filepath.Join(dir, "registries.conf"),
		// Their own: other tests pull at the same time, with auth files.
		account: account{"reader", "reader-" + rand.Text()}, other: account{"other", "other-" + rand.Text()},
	}
	var passwords strings.Builder
	for _, a := range []account{r.account, r.other} {
		out, err := exec.Command("htpasswd", "-Bbn", a.user, a.password).Output()
		if err != nil {
			t.Fatalf("htpasswd (Debian's apache2-utils): %v", err)
		}
		passwords.Write(out)
	}
	write(t, filepath.Join(dir, "htpasswd"), passwords.String())
	ofRegistries, key := certificate()
	write(t, filepath.Join(dir, "config.yml"),
		fmt.Sprintf(registryConfig, filepath.Join(dir, "data"), r.host, ofRegistries, key, filepath.Join(dir, "htpasswd")))
	write(t, r.config, fmt.Sprintf("[[registry]]\nlocation = %q\ninsecure = true\n", r.host))
	cmd := exec.Command("docker-registry", "serve", filepath.Join(dir, "config.yml"))
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("docker-registry: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	scheme, client := transport(t)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		answer, err := client.Get(scheme + "://" + r.host + "/v2/")
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusUnauthorized {
				t.Fatalf("the registry asks for no password: %s", answer.Status)
			}
			return r
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("the registry does not answer: %v\n%s", err, text)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// push puts a local image into the registry and returns its name there.
func (r *registry) push(local, name string) string {
	r.Helper()
	remote := r.host + "/" + name
	r.podman("push", "--quiet", "--authfile", r.authFile(), local, "docker://"+remote)
	r.Cleanup(func() { _ = podmanCommand("rmi", "--force", remote).Run() })
	return remote
}

// authFile has the first account, for podman commands of the test's own.
func (r *registry) authFile() string {
	name := filepath.Join(r.dir, "push.json")
	write(r.T, name, r.dockerConfig(r.host))
	return name
}

// podman runs a podman command that may talk HTTP to the registry.
func (r *registry) podman(args ...string) {
	r.Helper()
	cmd := podmanCommand(args...)
	cmd.Env = append(os.Environ(), "CONTAINERS_REGISTRIES_CONF="+r.config)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Fatalf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// policy is the line that shows the registry to the driver's podman.
func (r *registry) policy() string {
	return storageEnvironment("CONTAINERS_REGISTRIES_CONF=" + r.config)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// noSecrets checks that the registry's passwords stand in neither log.
func (r *registry) noSecrets(m *machine, run *gitlab.Run) {
	r.Helper()
	driverLog, _ := os.ReadFile(filepath.Join(m.dir, "driver.log"))
	for _, secret := range []string{r.password, r.auth(), r.other.password, r.other.auth()} {
		if strings.Contains(run.Log(), secret) || strings.Contains(string(driverLog), secret) {
			r.Errorf("the password stands in a log")
		}
	}
}

func TestPullFromRegistryWithPassword(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	image := r.push(busyboxImage, "team/app:1")
	m := start(t, defaults(r.policy(), `image_pull_policy = "always"`,
		fmt.Sprintf("runner_image = %q", r.push(busyboxImage, "admin/runner:1"))))
	// The administrator's runner image comes from the same registry, with the
	// job's credentials; busybox will do for a job without sources.
	withJobCredentials := in(image, job("credentials of the job", "echo ran"))
	withJobCredentials.Credentials = []gitlab.Credential{r.credential(r.host), {Type: "Registry", URL: "other.example.com", Username: "x", Password: "y"}}
	run := m.run(withJobCredentials)
	succeeded(t, run)
	logs(t, run, "Using image "+image+" in the user container: sha256:", "pulled in ", "ran")
	r.noSecrets(m, run)

	withVariable := in(image, job("DOCKER_AUTH_CONFIG", "echo ran"))
	withVariable.Variables = append(withVariable.Variables, gitlab.Variable{Key: "DOCKER_AUTH_CONFIG", Value: r.dockerConfig(r.host), Raw: true})
	run = m.run(withVariable)
	succeeded(t, run)
	r.noSecrets(m, run)
}

// The image is in the local storage, pulled by another project: a job without
// credentials does not get it.
func TestPullAlwaysNeedsCredentials(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	image := r.push(busyboxImage, "team/private:1")
	podman(t, "tag", busyboxImage, image)
	m := start(t, defaults(r.policy(), "-image_pull_policy"))
	run := m.run(in(image, job("no credentials", "echo ran")))
	// podman 4 says "unauthorized: " before it.
	refused(t, run, "getting the image", "authentication required")

	wrong := in(image, job("wrong credentials", "echo ran"))
	wrong.Credentials = []gitlab.Credential{{Type: "registry", URL: r.host, Username: r.user, Password: "a-wrong-password"}}
	run = m.run(wrong)
	refused(t, run, "getting the image")
	lacks(t, run, "a-wrong-password")

	missing := in(r.host+"/team/no-such-image:1", job("missing image", "echo ran"))
	missing.Credentials = []gitlab.Credential{r.credential(r.host)}
	run = m.run(missing)
	refused(t, run, "getting the image", "no-such-image")
}

func TestPullNever(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	image := r.push(busyboxImage, "team/never:1")
	m := start(t, defaults(r.policy(), `image_pull_policy = "never"`))
	j := in(image, job("never", "echo ran"))
	j.Credentials = []gitlab.Credential{r.credential(r.host)}
	refused(t, m.run(j), "the image is not in the local storage")
	podman(t, "tag", busyboxImage, image)
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "found locally", "ran")
}

// A registry that does not answer is nobody's fault in the project: the runner
// tries again.
func TestRegistryThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	m := start(t, defaults(`image_pull_policy = "always"`, fmt.Sprintf("default_image = %q", debianImage), fmt.Sprintf("runner_image = %q", freeAddress(t)+"/runner:1")))
	run := m.run(job("outage", "echo ran"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "podman-executor-prepare: error: getting the image", "connection refused", "podman-executor-prepare: hint: ", "runner_image")
}
